# Every target sets up its own environment first (tools/bootstrap.py: ComfyUI and Python packages in a cache folder, once).
RUN := python3 tools/bootstrap.py --
export OMP_NUM_THREADS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help demo test test-sdxl check attack bench operations figures figures-editing figures-multi figures-suggest figures-effect figures-dit experiments-pocket steering prompt-weights train-pocket train-drawings pocket-vectors pocket-figures thumbnails generated help-images docs clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

demo:  ## misread words on the pocket model, plain and steered, drawn and counted: output/demo/ (3 minutes)
	@$(RUN) python -m tools.demo

test: check  ## linter, type checker, and every test against a real ComfyUI server (at most 20 minutes)
	@$(RUN) pytest

test-sdxl:  ## a workflow on a full-size SDXL with random weights (20 GB of memory)
	@HRV_FULL_SDXL=1 $(RUN) pytest tests/server/test_full_size_sdxl.py

check:  ## linter and type checker
	@$(RUN) ruff check --output-format concise .
	@$(RUN) python -m tools.typecheck

attack:  ## 51,000 damaged files, texts and answers: no traceback, no hang, nothing wrong, under 1 GB of memory (5 minutes)
	@$(RUN) python -m tools.attack

bench:  ## time and memory of steering, voting and guidance as ratios to plain sampling: output/bench.json, bench_guidance.json
	@$(RUN) python -m tools.bench operations; counted=$$?; $(RUN) python -m tools.bench compiled; $(RUN) python -m tools.bench; first=$$?; $(RUN) python -m tools.bench guidance && exit $$((counted + first))

operations:  ## dispatched operations a step, as ratios to plain sampling: output/operations.json (half a minute)
	@$(RUN) python -m tools.bench operations

figures:  ## what the pocket model's vectors show: weakening, convergence, portraits, several objects: output/figures/ (13 minutes)
	@$(RUN) python -m tools.figures

figures-editing:  ## every editing method on the pocket model: output/figures/editing* (9 minutes)
	@$(RUN) python -m tools.figures editing

figures-multi:  ## of these only the prompts of several objects under every guiding method: output/figures/multi* (4 minutes)
	@$(RUN) python -m tools.figures multi

figures-suggest:  ## how often HRV Suggest names a word's concept, and pictures steered by it: output/figures/suggest.csv (2 minutes)
	@$(RUN) python -m tools.figures suggest

figures-effect:  ## heads by effect beside heads by votes, on both pocket models: output/figures/effect/ (an hour on two cores)
	@$(RUN) python -m tools.figures.effect

figures-dit:  ## the same on a Flux-shaped pocket model, make figures-dit WEIGHTS=FILE: output/figures/dit/ (15 minutes on one core)
	@$(RUN) python -m tools.figures.dit $(WEIGHTS)

experiments-pocket:  ## every experiment of the paper on the pocket model, through a real server: output/experiments/ (30 minutes)
	@$(RUN) python -m tools.experiments_pocket

steering:  ## misreading under every strength and clamp, on prompts kept for choosing them too: output/figures/steering.csv
	@$(RUN) python -m tools.figures steering

prompt-weights:  ## what weights do to images, and which limit keeps them whole: output/prompt_weights.json (10 minutes)
	@$(RUN) python -m tools.prompt_weights

train-pocket:  ## train the squares from nothing (hours on a CPU; continues where it stopped)
	@$(RUN) python -m hrv_engine.pocket.training

train-drawings:  ## train the drawings model on, on a card: SECONDS=500; weights and parts of them in OUT
	@$(RUN) python -m hrv_engine.pocket.drawings.training --seconds $(or $(SECONDS),500) --out $(or $(OUT),output/drawings)

pocket-vectors:  ## build the vectors that ship with the pocket models, after their weights changed (15 minutes each)
	@$(RUN) python -m tools.pocket_vectors

pocket-figures:  ## what the drawings model shows of what it is asked for: PROMPTS=1000 (20 minutes)
	@$(RUN) python -m hrv_engine.pocket.drawings.evaluate --prompts $(or $(PROMPTS),1000)

thumbnails:  ## the picture of each workflow, from the run that tests it
	@HRV_WRITE_THUMBNAILS=1 $(RUN) pytest tests/server tests/browser -m thumbnail
	@$(RUN) python -m tools.thumbnails

generated:  ## graphs, their prompts, blueprints and English node texts, from the schemas of today (after a change of a node's inputs)
	@$(RUN) python -m tools.make_workflows
	@$(RUN) python -m tools.blueprints
	@$(RUN) python -m tools.make_locales

help-images:  ## the picture in each help page: the node at work in the graph that teaches it (10 minutes)
	@$(RUN) python -m tools.help_images

docs:  ## README, docs/, help pages and a gallery of the workflows as one site: output/site/
	@$(RUN) python -m tools.docs_site

clean:  ## remove what the targets wrote into the repository (the cache folder stays)
	rm -rf output .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

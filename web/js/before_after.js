/** HRV Before After: the images before under those after, and a slider that uncovers them. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { addressOf, outputOf } from "./pictures.js";

const NODE = "HRVBeforeAfter";
const COUNTS = "hrv_pairs"; // how many pairs each run of the node gave
const OWN = "hrv_images"; // where the images go that the frontend would show side by side
const LEAST = 380; // px wide and high
const STYLE = `
.hrv-compare { position: relative; display: flex; flex-direction: column; overflow: hidden; border-radius: 4px; min-height: 240px;
  --split: 50%; color: var(--input-text, #ddd); font: 12px sans-serif; }
.hrv-compare:focus-within { outline: 2px solid #4fb3bf; }
.hrv-compare .pairs { flex: 1; min-height: 0; display: grid; gap: 4px; }
.hrv-compare .pair { position: relative; min-width: 0; min-height: 0; overflow: hidden; }
.hrv-compare img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.hrv-compare .before { clip-path: inset(0 calc(100% - var(--split)) 0 0); background: inherit; }
.hrv-compare .pair::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--split); width: 2px;
  background: #fff; box-shadow: 0 0 2px #000; }
.hrv-compare .ends { display: flex; justify-content: space-between; padding: 2px 4px; }
.hrv-compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }`;

// Registered when the file is loaded, before the frontend's own listener: with the slider no second picture is needed.
api.addEventListener("executed", ({ detail }) => {
  const output = detail?.output;
  if (!output?.[COUNTS] || !output.images) return;
  output[OWN] = output.images;
  delete output.images;
});

function made(tag, className, more = {}) {
  return Object.assign(document.createElement(tag), { className, ...more });
}

function sliderOf() {
  const box = made("div", "hrv-compare");
  const pairs = made("div", "pairs", { textContent: "after a run: drag, or use the arrow keys" });
  const ends = made("div", "ends");
  ends.append(made("span", "", { textContent: "before" }), made("span", "", { textContent: "after" }));
  const range = made("input", "", { type: "range", min: 0, max: 100, value: 50 });
  range.setAttribute("aria-label", "before and after");
  const move = () => {
    box.style.setProperty("--split", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % before, ${100 - range.value} % after`);
  };
  range.oninput = move;
  range.onkeydown = event => event.stopPropagation();
  move();
  box.append(pairs, ends, range);
  return { box, pairs };
}

/** [before, after] of each pair: a run's images are all before, then all after. */
function pairsOf(output) {
  const pairs = [];
  let at = 0;
  for (const count of output?.[OWN] ? output[COUNTS] : []) {
    for (let place = 0; place < count; place++) pairs.push([output[OWN][at + place], output[OWN][at + count + place]]);
    at += 2 * count;
  }
  return pairs;
}

function draw(node) {
  const found = pairsOf(outputOf(node));
  if (!found.length) return;
  const { pairs } = node.hrvSlider;
  pairs.style.gridTemplateColumns = `repeat(${Math.ceil(Math.sqrt(found.length))}, 1fr)`;
  pairs.replaceChildren(...found.map((pair, place) => {
    const cell = made("div", "pair");
    const images = ["before", "after"].map((when, side) => made("img", when, {
      src: addressOf(pair[side]), alt: `image ${place + 1} ${when}`, draggable: false,
    }));
    cell.append(...images.reverse()); // the one before lies on top
    return cell;
  }));
}

app.registerExtension({
  name: "comfyui-hrv.before_after",
  setup() {
    document.head.appendChild(document.createElement("style")).textContent = STYLE;
  },
  nodeCreated(node) {
    if (node.comfyClass !== NODE || !node.addDOMWidget) return;
    node.hrvSlider = sliderOf();
    const options = { serialize: false, hideOnZoom: false, margin: 4, getMinHeight: () => 260, getValue: () => "" };
    node.addDOMWidget("before and after", "hrv_slider", node.hrvSlider.box, options).serialize = false;
    node.setSize?.([Math.max(node.size[0], LEAST), Math.max(node.size[1], LEAST)]);
    for (const event of ["onExecuted", "onConfigure"]) {
      const earlier = node[event];
      node[event] = function (...given) {
        setTimeout(() => draw(node));
        return earlier?.apply(this, given);
      };
    }
  },
});

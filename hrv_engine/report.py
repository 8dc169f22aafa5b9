"""What a build says about itself: model, settings, vote shares and warnings, as text."""

from .relevance import HeadRelevance, describe_part

FEW_VOTES = 20  # votes per head below which a row is mostly noise


def report(relevance: HeadRelevance) -> str:
    """Several lines on an HRV: layout, images, settings, the share of votes each concept won, concepts with too few."""
    votes = relevance.votes
    lines = [f"{len(relevance.concepts.concepts)} concepts ({relevance.concepts.name}), {relevance.layout.summary}"]
    if votes is None:
        source = relevance.source.get("imported_from", "another file")
        return "\n".join(
            [*lines, f"Imported from {source}: vectors without votes, so nothing is known of images or settings."]
        )
    lines.append(f"{votes.images} images: " + "; ".join(describe_part(part) for part in votes.parts))
    lines.append("Settings: " + ", ".join(f"{key} {value}" for key, value in sorted(votes.recipe.items())))
    totals = votes.counts.sum(axis=1)
    shares = sorted(zip(totals / max(totals.sum(), 1), relevance.concepts.names, strict=True), reverse=True)
    lines.append("Votes: " + ", ".join(f"{name} {share:.1%}" for share, name in shares))
    few = [
        name
        for name, total in zip(relevance.concepts.names, totals, strict=True)
        if total < FEW_VOTES * relevance.layout.total
    ]
    if few:
        lines.append(
            f"Few votes (under {FEW_VOTES} a head), rows are noisy: {', '.join(few)}. More prompts, or prompts that"
            " show these, help."
        )
    return "\n".join(lines)

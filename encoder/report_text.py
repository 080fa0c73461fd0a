"""A report on an encoder (`encoder.report`) as text for a terminal. Needs no torch."""

import re
from collections.abc import Iterable, Iterator

from encoder.report import Loading, Parameter, Report, Totals

# A name or a token in somebody's file must not move the cursor.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")

_MADE = {
    "checkpoint": "from_pretrained: the architecture of the configuration, filled from the files",
    "config": "from the configuration alone: NO WEIGHTS WERE READ, ALL ARE MADE UP AT RANDOM",
    "state-dict": "the architecture of the configuration, then load_state_dict (strict=False): same names only",
}


def as_text(report: Report) -> str:
    """Return the whole report, in sections, with one line for each parameter, key and token; it ends in a newline."""
    sections = [
        ("Architecture", _architecture(report)),
        ("Loading", _loading(report)),
        ("Serving", _serving(report)),
        ("Parameters", _parameters(report)),
        ("Tokens", _tokens(report)),
        ("Outputs", _outputs(report)),
        ("Pooled output", _pooled(report)),
        ("Training and inference", _modes(report)),
    ]
    text = "\n".join("\n".join([title, "-" * len(title), *lines, ""]) for title, lines in sections)
    return _CONTROL.sub("\ufffd", text)


def _architecture(report: Report) -> Iterator[str]:
    yield f"{'folder':20}{report.folder}"
    for name, value in vars(report.architecture).items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        yield f"{name.replace('_', ' '):20}{'-' if shown in (None, '') else shown}"


def _loading(report: Report) -> Iterator[str]:
    loading = report.loading
    yield f"{loading.how}: {_MADE[loading.how]}."
    if loading.how == "config":
        yield "Its vectors mean nothing. It is to be looked at, and never served."
    yield f"{'files':20}{', '.join(loading.files) or '-'}"
    yield f"{'keys filled':20}{loading.loaded}"
    yield from _keys(loading)


def _keys(loading: Loading) -> Iterator[str]:
    mismatched = [
        f"{one.name}  {_shape(one.in_file)} in the file, {_shape(one.in_model)} wanted" for one in loading.mismatched
    ]
    yield from _listed("missing, newly made at random", loading.missing)
    yield from _listed("of another shape, newly made at random", mismatched)
    yield from _listed("unexpected, ignored", loading.unexpected)
    yield from _listed("renamed", (f"{one.key} -> {one.name}" for one in loading.renamed))
    yield from _listed(
        'ignored for their names, which "checkpoint" would have changed',
        (f"{one.key} -> {one.name}" for one in loading.not_renamed),
    )


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = [f"    {line}" for line in lines]
    yield f"{title}: {len(found)}"
    yield from found


def _serving(report: Report) -> Iterator[str]:
    says = report.serving
    for name in ("pooling", "query_prefix", "passage_prefix", "max_tokens"):
        yield f"{name.replace('_', ' '):20}{getattr(says, name)!r}"
    yield f"{'fingerprint':20}{says.fingerprint or '- (it cannot serve as it was made here)'}"
    if says.refusal:
        yield says.refusal


def _parameters(report: Report) -> Iterator[str]:
    width = max((len(row.name) for row in report.parameters), default=0) + 2
    for group in report.groups:
        yield _sum(group)
        yield from (_parameter(row, width) for row in report.parameters if row.group == group.group)
    yield _sum(report.total)
    if report.frozen:
        yield f"frozen: {', '.join(report.frozen)}"


def _parameter(row: Parameter, width: int) -> str:
    grad = "requires_grad" if row.requires_grad else "frozen"
    stored = f" (in the file {row.stored})" if row.stored not in (None, row.dtype) else ""
    made = " newly made at random" if row.new else ""
    return f"    {row.name:{width}}{_shape(row.shape):16}{row.numbers:>14,}  {row.dtype:9}{grad}{stored}{made}"


def _sum(sums: Totals) -> str:
    return (
        f"{sums.group}: {sums.parameters} parameters, {sums.numbers:,} numbers, {sums.bytes:,} bytes, "
        f"{sums.trainable:,} trainable"
    )


def _tokens(report: Report) -> Iterator[str]:
    yield f"{report.text!r}, as it is, with no prefix"
    for token in report.tokens:
        where = "special" if token.special else f"{token.start}-{token.end}"
        yield f"    {token.id:>8}  {where:10}{token.piece}"
    if report.left_out:
        yield f"{report.left_out} more tokens do not fit into the longest sequence."


def _outputs(report: Report) -> Iterator[str]:
    outputs = report.outputs
    yield f"A batch of one text, in {'training' if outputs.training else 'inference'} mode:"
    yield f"    sequence output   {_shape(outputs.sequence)}  batch, tokens, hidden"
    pooled = outputs.pooled_output
    yield "    pooled output     " + (
        f"{_shape(pooled)}  batch, hidden" if pooled else "- (this architecture has none)"
    )
    if outputs.head:
        yield f"    head              {_shape(outputs.head)}  batch, labels"
    yield f"cosine of the first token's vector and the mean: {outputs.cosine_first_mean:.4f}"


def _pooled(report: Report) -> Iterator[str]:
    pooled = report.outputs.pooled
    if pooled is None:
        yield "There is none that is a linear layer on the first token."
        return
    yield "Is it the first token's vector, seq_out[:,0,:]?"
    yield f"    distance {pooled.distance:.4f}, cosine {pooled.cosine:.4f}"
    yield "Is it tanh(W seq_out[:,0,:] + b)? Computed again:"
    same = "the same, but for rounding" if pooled.formula_difference < 1e-5 else "NOT the same: its pooler does more"
    yield f"    greatest difference {pooled.formula_difference:.1e}: {same}"
    yield f"cosine with the mean: {pooled.cosine_with_mean:.4f}"
    yield (
        f"saturation: {pooled.above_90:.1%} of the numbers beyond 0.9 and {pooled.above_99:.1%} beyond 0.99 on either "
        f"side; mean size {pooled.mean_absolute:.3f}"
    )
    for letter, row in (("W", pooled.weight), ("b", pooled.bias)):
        if row is not None:
            yield f"{letter}: {row.name} {_shape(row.shape)}, {_origin(row)}"


def _origin(row: Parameter) -> str:
    if row.new:
        return "newly made: nothing that was loaded has it, so the pooled output means nothing"
    if row.key is None:
        return "put together from several keys of the files"
    return f"from {row.file}" + (f", where its key is {row.key}" if row.key != row.name else ", under the same key")


def _modes(report: Report) -> Iterator[str]:
    modes = report.modes
    rates = ", ".join(f"{rate:g}" for rate in modes.dropout) or "none above 0"
    yield f"dropout: {rates}; seed {report.seed}"
    yield f"two passes in training mode differ by up to   {modes.training_difference:.3g}"
    exact = " (exactly equal)" if modes.inference_difference == 0 else ""
    yield f"two passes in inference mode differ by up to  {modes.inference_difference:.3g}{exact}"
    yield f"output.requires_grad with gradients       {modes.requires_grad_with_gradients}"
    yield f"output.requires_grad under inference_mode {modes.requires_grad_in_inference_mode}"
    total = report.total
    yield f"trainable: {total.trainable:,} of {total.numbers:,} numbers"


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"

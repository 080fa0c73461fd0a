"""Texts to tokens, with the `tokenizers` library alone (no torch, no transformers)."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.description import Description, EncoderError
from encoder.folder import read_optional, tokenizer_files

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Text is cut at a newline after this many characters, so that the tokens of a book are never all in memory.
_SEGMENT = 50_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE = re.compile("<0x[0-9A-F]{2}>")
_NO_CHARACTER = "\U0010ffff"  # Unicode promises that it never will be one, so no vocabulary has it


def tokenizer(description: Description) -> "Tokenizer":
    """Return the tokenizer of a checkpoint, which neither cuts nor pads; one for the whole process.

    It may be used from several threads. Raises EncoderError when the folder holds none that can be read.
    """
    assert description.folder is not None, "an encoder without files has no tokenizer"
    return _load(description.folder, description.weights_hash)


@lru_cache(maxsize=4)
def _load(folder: Path, weights_hash: str) -> "Tokenizer":  # the hash: a folder that was replaced is loaded anew
    from tokenizers import Tokenizer
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

    path = tokenizer_files(folder)[0]
    if path.name == "tokenizer.json":
        try:
            loaded = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing finer
            raise EncoderError(f"{path} cannot be read as a tokenizer ({error}). Copy the checkpoint again.") from error
        loaded.no_truncation()  # files are often saved with what their last user cut and padded to
        loaded.no_padding()
    else:
        options = read_optional(folder / "tokenizer_config.json")
        loaded = BertWordPieceTokenizer(
            str(path),
            lowercase=options.get("do_lower_case", True),
            strip_accents=options.get("strip_accents"),
            handle_chinese_chars=options.get("tokenize_chinese_chars", True),
        )._tokenizer
    # "[SEP]" or "</s>" in somebody's text is text, and must not end a sequence.
    loaded.encode_special_tokens = True
    return loaded


def refuse_other_tokens(description: Description, known: int) -> None:
    """Raise EncoderError when the folder's tokenizer knows tokens that its model, which knows so many, does not."""
    tokens = tokenizer(description).get_vocab_size()
    if tokens > known:
        raise EncoderError(
            f"The tokenizer in {description.folder} knows {tokens:,} tokens and the model only {known:,}: they do not "
            "belong together. Copy the checkpoint again."
        )


def special_tokens(loaded: "Tokenizer") -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text."""
    probe = loaded.encode("a")
    special = probe.special_tokens_mask
    before = special.index(0) if 0 in special else len(special)
    after = special[::-1].index(0) if 0 in special else 0
    return probe.ids[:before], probe.ids[len(probe.ids) - after :]


def clean(text: str) -> str:
    """Put U+FFFD for each lone surrogate, which no tokenizer takes. Every other character keeps its place."""
    return _SURROGATE.sub("\ufffd", text)


def token_offsets_function(description: Description) -> Callable[[str], list[tuple[int, int]]]:
    """Return the function text -> [(start, end), ...], one pair of character positions a token, in order.

    There are as many pairs as tokens the encoder will see, special tokens and prefix aside. A pair may be empty,
    take in the space before a word, or be the same as its neighbour's where one character makes several tokens;
    a run of characters that the vocabulary lacks can be one long token. Raises EncoderError.
    """
    if description.folder is None:
        from encoder.tiny import TinyEncoder

        return TinyEncoder().token_offsets
    loaded = tokenizer(description)
    return lambda text: token_offsets(loaded, text)


def token_offsets(loaded: "Tokenizer", text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each token of a text of any length; see `token_offsets_function`."""
    offsets: list[tuple[int, int]] = []
    for start, end in _segments(text):
        encoding = loaded.encode(clean(text[start:end]), add_special_tokens=False)
        offsets.extend((start + left, start + right) for left, right in encoding.offsets)
    return offsets


def unknown_share(description: Description, texts: Iterable[str]) -> float:
    """Return the share of the letters in these texts that the vocabulary does not have, 0 to 1; 0 without letters.

    Letters are what `str.isalpha` says, characters of Chinese included. One is known when it lies whole in a token
    other than the unknown token (and than a byte's, such as "<0xE4>", that some have in its place). Byte-level
    vocabularies, as GPT-2's and RoBERTa's, have no unknown token: with them a letter is unknown when it is spelled in
    two or more tokens, since none of these means it. The tiny encoder knows everything. Raises EncoderError.
    """
    if description.folder is None:
        return 0.0
    loaded = tokenizer(description)
    letters = known = 0
    for text in texts:
        for start, end in _segments(text):
            segment = clean(text[start:end])
            covered = _known_places(loaded, segment)
            places = [place for place, letter in enumerate(segment) if letter.isalpha()]
            letters += len(places)
            known += len(covered.intersection(places))
    return 1 - known / letters if letters else 0.0


def _known_places(loaded: "Tokenizer", text: str) -> set[int]:
    """The places of the characters that the vocabulary has, as `unknown_share` says."""
    from tokenizers.decoders import ByteLevel

    encoding = loaded.encode(text, add_special_tokens=False)
    if isinstance(loaded.decoder, ByteLevel):
        times = Counter(place for start, end in encoding.offsets for place in range(start, end))
        return {place for place, count in times.items() if count == 1}
    unknown = {token.id for token in loaded.model.tokenize(_NO_CHARACTER)}
    return {
        place
        for token, piece, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
        if token not in unknown and not _BYTE.fullmatch(piece)
        for place in range(start, end)
    }


def _segments(text: str) -> Iterator[tuple[int, int]]:
    """Cut a text after newlines, where no token of a word or a sentence goes on."""
    start = 0
    while start < len(text):
        newline = text.find("\n", start + _SEGMENT)
        end = len(text) if newline < 0 else newline + 1
        yield start, end
        start = end

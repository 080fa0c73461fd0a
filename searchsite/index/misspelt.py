"""What is taken for a typing error, and how far it is from what was meant. Loads no tantivy."""

from __future__ import annotations

# A word that no passage has is taken for a typing error of words that are so many letters away.
FUZZY = ((4, 1), (8, 2))  # (letters from, distance)
MOST_MISSPELT = 16  # words of a question that are taken so: each takes some milliseconds


def farthest(word: str) -> int:
    """How many letters away what was meant by an unknown word may be; 0: it is not taken for a typing error."""
    return max((distance for letters, distance in FUZZY if len(word) >= letters and word.isalpha()), default=0)


def distance(one: str, other: str, most: int) -> int:
    """How many letters must be put in, left out, replaced, or exchanged with the next one; most + 1 where it is more.

    Optimal string alignment, in which nothing is changed twice, as in tantivy's fuzzy queries: Boytsov, "Indexing
    Methods for Approximate Dictionary Searching" (ACM JEA 2011), section 2.
    """
    # Words that are far apart, which are most, are told by their letters: each step takes out or brings in one at most.
    if len(set(one) - set(other)) > most or len(set(other) - set(one)) > most or abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for n, letter in enumerate(one, 1):
        above, before, row = before, row, [n]
        for m, place in enumerate(other, 1):
            steps = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (letter != place))
            if n > 1 and m > 1 and letter == other[m - 2] and one[n - 2] == place:
                steps = min(steps, above[m - 2] + 1)
            row.append(steps)
        if min(row) > most and min(before) > most:
            return most + 1
    return min(row[-1], most + 1)

"""Keywords and meaning together, with the real encoder: each corrects the other where it alone would mislead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser

from searchsite.documents.models import Collection, Document
from searchsite.index import follow, lexical_follow, space
from searchsite.search import ranking, retrieve
from searchsite.search import sources as asked_of
from searchsite.search.query import parse

pytestmark = pytest.mark.meaning

TEXTS = {
    "err-4012": "ERR_4012: the licence on this machine has run out. Ask the person who looks after it for a new file.",
    "err-4021": "ERR_4021: the network share did not answer. Error codes of this kind go away when the cable is in.",
    "err-4102": "ERR_4102: an error code of the printer. What the error means is on its display, or in the list.",
    "zhang-wei": "三楼的会议室由张韡负责，钥匙在前台。",
    "zhang-wei-2": "三楼的会议室由张伟负责，预订请发邮件给他。",
    "wang-wei": "会议室由谁负责？每一层都有一位负责人，名单贴在门口。",
    "heating": "When it gets cold in the office, turn the dial under the window to the right until it is warm.",
    "cold-calls": "Office hours for cold calls: in winter nobody in the sales office makes cold calls before nine.",
    "leave": "员工生了孩子以后，父亲可以在家陪伴十五天，工资照发。",
    "leave-file": "父亲节那天公司放假的通知文件，员工可以在内网下载，文件编号为十五。",
    "release-28": "What is new in v1.28: the importer is faster, and the search page shows the number of matches.",
    "release-29": "Corrections in v1.29, mostly small ones in the help texts.",
    "batch-7731": "批次 BH-7731 的检验记录在二号柜。",
    "batch-7713": "批次 BH-7713 通过检验了，产品检验通过以后就可以发货。",
    "seat": "Ingolf Thraxl has moved to the fourth floor, next to the lift.",
    "seats": "Where does everybody sit? The plan of all desks hangs by the door, and shows who sits where.",
    "memory": "A program that keeps what it no longer needs grows until the machine has no room left for others.",
    "memories": "Memories of the summer party: why the cake kept growing, and other stories to use in the newsletter.",
    "minutes": "周一的会上讨论了明年的预算、食堂的菜单和停车位的分配，大家没有意见，最后由赵垚记录。",
    "zhao-yao": "赵尧，电话分机二零一，在人事部工作，是新来的同事。",
    "deliveries": "Delivered in May: two chairs, a lamp, forty boxes of paper, one pump QX-77B, tea, and new carpets.",
    "pump": "Pumps of the series QX-78B are quiet, and pumps of the series QX-76B are strong.",
    "walk": "我们沿着河走了一天，晚上住在爨底下村的一户人家，第二天下雨，就坐车回城了，大家都很累。",
    "village": "村里的房子建在山坡下面，村子底下有一条小溪。",
    "bank": "Die Bank am Fluss wurde gestrichen und ist wieder trocken.",
}


@pytest.fixture
def kept(db, settings, django_capture_on_commit_callbacks):
    """The texts, each a document of its own, with its name as its source."""
    settings.SEARCHSITE_ENCODER = "e5-small"
    settings.SEARCHSITE_MODELS_DIR = Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"])
    public = Collection.objects.create(name="Public", slug="public", visibility=Collection.Visibility.PUBLIC)
    with django_capture_on_commit_callbacks(execute=True):
        for name, text in TEXTS.items():
            Document(collection=public, text=text, title="Notes", source=name).save()


def found(question: str) -> list[str]:
    """The names of what the site finds, best first."""
    answer = retrieve.search(AnonymousUser(), question)
    return [result.document.source for result in answer.results]


def by_one_leg(question: str) -> tuple[list[str], list[str]]:
    """(what meaning alone finds, what keywords alone find)."""
    placed = space.current()
    asked = ranking.understood(parse(question), placed)
    sources = ranking.Sources(follow.current().store, placed, lexical_follow.current(), lambda _ids: {}, asked_of.codes)
    names = dict(Document.objects.values_list("live_revision__passages", "source"))
    legs = (ranking.vector_leg(asked, sources, 100, None), ranking.lexical_leg(asked, sources, 100, None))
    vector, lexical = ([names[passage] for passage, _score in leg] for leg in legs)
    return vector, lexical


def test_an_exact_name_or_identifier_wins_where_meaning_is_misled(kept):
    wrong = []
    for question, right in [
        ("ERR_4012", "err-4012"), ("赵垚", "minutes"), ("趙垚", "minutes"), ("谁是赵垚？", "minutes"),
        ("爨底下", "walk"), ("爨底下村", "walk"), ("爨", "walk"), ("77B", "deliveries"),
    ]:  # fmt: skip
        vector, _lexical = by_one_leg(question)
        assert vector[0] != right, f"{question}: nothing is shown, meaning alone has it right"
        if (first := found(question)[0]) != right:
            wrong.append((question, first))
    assert not wrong


def test_meaning_wins_where_words_are_misled(kept):
    wrong = []
    for question, right in [
        ("why does RAM use keep growing?", "memory"), ("my room is freezing, what can I do", "heating"),
        ("Where does Thraxl sit?", "seat"), ("How long is paternity leave?", "leave"),
        ("爸爸的带薪产假有多久？", "leave"), ("男员工的陪产假有多少天", "leave"), ("办公室太冷了怎么办", "heating"),
        ("程序占用的内存越来越多", "memory"),
    ]:  # fmt: skip
        _vector, lexical = by_one_leg(question)
        assert lexical[0] != right, f"{question}: nothing is shown, keywords alone have it right"
        if (first := found(question)[0]) != right:
            wrong.append((question, first))
    assert not wrong


def test_an_identifier_wins_over_what_is_like_it_in_all_but_a_digit(kept):
    questions = [("QX-77B", "deliveries"), ("What does error code ERR_4012 mean?", "err-4012")]
    assert [found(question)[0] for question, _right in questions] == [right for _question, right in questions]

"""Which language a text is in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchsite.documents.language import WRITTEN_IN_LATIN, WRITTEN_OTHERWISE, detect, family, family_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The laptop was stolen.", "en"),
        ("Der Rechner wurde gestohlen, schöne Grüße", "en"),
        ("笔记本电脑丢了怎么办", "zh"),
        ("筆記型電腦不見了", "zh"),
        ("用 VPN 连不上公司的 Git 服务器", "zh"),
        ("See the handbook (手册) for the rules about visitors and badges.", "en"),
        ("これは日本語の文書です。", "other"),
        ("이것은 한국어 문서입니다.", "other"),
        ("Это русский текст.", "other"),
        ("for i in range(10): x[i] = 3", "en"),
        ("12345 -- 67", "en"),
        ("", "en"),
    ],
)
def test_the_family_is_told_by_the_script(text, language):
    assert family(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Please hand in the form before Friday, or tell the office.", "en"),
        ("Bitte geben Sie das Formular vor Freitag ab oder sagen Sie Bescheid.", "de"),
        ("Merci de rendre le formulaire avant vendredi, ou de prévenir le secrétariat.", "fr"),
        ("Los alumnos deben entregar el formulario antes del viernes.", "es"),
        ("Proszę oddać formularz przed piątkiem albo zawiadomić biuro.", "pl"),
        ("请在星期五之前交表，或者通知办公室。", "zh"),
        ("請在星期五之前交表，或者通知辦公室。", "zh"),
        ("金曜日までに用紙を提出してください。", "ja"),
        ("금요일까지 양식을 제출해 주십시오.", "ko"),
        ("Пожалуйста, сдайте анкету до пятницы или сообщите в секретариат.", "ru"),
        ("Будь ласка, здайте анкету до п'ятниці або повідомте секретаріат.", "uk"),
        ("กรุณาส่งแบบฟอร์มก่อนวันศุกร์หรือแจ้งสำนักงาน", "th"),
        ("يرجى تسليم النموذج قبل يوم الجمعة أو إبلاغ المكتب", "ar"),
    ],
)
def test_the_language_is_told_by_the_words(text, language):
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "default", "language"),
    [
        ("Fig. 3", "de", "de"),  # too short: what surrounds it is German
        ("def f(x): return x + 1", "fr", "fr"),
        ("kubectl apply -f pod.yaml", "zh", "en"),  # in Latin letters, so not Chinese
        ("图 3", "en", "zh"),
        ("", "de", "de"),
        ("", "zh", "en"),
    ],
)
def test_what_is_too_short_to_tell_is_in_the_language_around_it(text, default, language):
    assert detect(text, default) == language


@given(st.text(max_size=200), st.sampled_from(["en", "zh", "de", "ja", "other"]))
def test_a_language_is_always_one_of_the_family(text, default):
    language = detect(text, default)
    assert family_of(language) == family(text)
    assert language in {"zh", "other", *WRITTEN_IN_LATIN, *WRITTEN_OTHERWISE}

"""People who are not staff sign in, see what they may, and sign out."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from searchsite.documents.models import Collection

pytestmark = pytest.mark.django_db


def test_signing_in_opens_what_is_for_those_who_are_signed_in(client, add):
    inside = Collection.objects.create(name="Inside", slug="inside", visibility=Collection.Visibility.SIGNED_IN)
    document = add(inside, "apples")
    User.objects.create_user("reader", password="a good password")
    address = document.get_absolute_url()
    assert client.get(address).status_code == 404
    assert "/sign-in/" in client.get("/").content.decode()
    wrong = client.post("/sign-in/", {"username": "reader", "password": "wrong"})
    assert 'role="alert"' in wrong.content.decode()
    right = client.post("/sign-in/", {"username": "reader", "password": "a good password", "next": address})
    assert right["Location"] == address
    assert client.get(address).status_code == 200
    assert "/admin/" not in client.get("/").content.decode()
    client.post("/sign-out/")
    assert client.get(address).status_code == 404


def test_next_leads_to_no_other_site(client):
    User.objects.create_user("reader", password="a good password")
    fields = {"username": "reader", "password": "a good password", "next": "https://evil.example/"}
    assert client.post("/sign-in/", fields)["Location"] == "/"

"""Assessments: written by administrators, never changed, looked at again within a year."""

import io
import json
import zipfile
from datetime import date, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import assessments
from tests.support import make
from tests.support.scenes import API
from tests.web.support import form, text_of

AT = f"{API}/moderation/assessments"
TODAY = clock.now().date()


def a_version(version: int = 0, **changes: Any) -> dict[str, Any]:
    review = TODAY + timedelta(days=365)
    dates = {"assessed_on": TODAY.isoformat(), "next_review_on": review.isoformat()}
    return {"text": "Who can write here: members.", "version": version, **dates, **changes}


async def due(client: httpx.AsyncClient) -> int:
    told = (await client.get(f"{API}/me/notifications")).json()["items"]
    return sum(one["kind"] == "assessment_due" for one in told)


async def test_administrators_write_versions_and_are_reminded_of_the_next_review(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "heron") as heron,
    ):
        assert (await orla.put(f"{AT}/illegal_content", json=a_version())).status_code == 403
        assert (await heron.get(AT)).status_code == 403
        for review in (TODAY, TODAY + timedelta(days=367)):
            late = await joan.put(f"{AT}/illegal_content", json=a_version(next_review_on=review.isoformat()))
            assert (late.status_code, late.json()["code"]) == (422, "review_not_within_a_year")
        for assessed in (TODAY + timedelta(days=2), date(9999, 6, 1)):
            early = await joan.put(f"{AT}/illegal_content", json=a_version(assessed_on=assessed.isoformat()))
            assert (early.status_code, early.json()["code"]) == (422, "time_to_come")
        assert (await joan.put(f"{AT}/illegal_content", json=a_version())).json()["version"] == 1
        stale = await joan.put(f"{AT}/illegal_content", json=a_version())
        assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (409, "assessment_changed", 1)
        for days, told in ((364, 0), (365, 1), (366, 1)):
            async with services.database.work() as session:
                await assessments.remind(session, {}, clock.now() + timedelta(days=days))
            assert await due(joan) == told
        assert await due(orla) == 0
        again = await joan.put(f"{AT}/illegal_content", json=a_version(1, text="Members, and guests read."))
        assert again.json()["version"] == 2
        assert await due(joan) == 0
        assert (await orla.get(f"{AT}/illegal_content/1")).json()["text"] == a_version()["text"]
        assert (await orla.get(f"{AT}/illegal_content/3")).json()["code"] == "assessment_not_found"
        assert [one["version"] for one in (await orla.get(AT)).json()["items"]] == [2, 1]
        archive = zipfile.ZipFile(io.BytesIO((await orla.get("/moderation/assessments.zip")).content))
        fetched = await orla.get(f"{AT}.zip")
        again = await orla.get(f"{AT}.zip", headers={"If-None-Match": fetched.headers["ETag"]})
        assert (zipfile.ZipFile(io.BytesIO(fetched.content)).namelist(), again.status_code) == (archive.namelist(), 304)
        assert archive.namelist() == ["illegal_content-1.md", "illegal_content-2.md", "index.json"]
        assert [entry["version"] for entry in json.loads(archive.read("index.json"))] == [1, 2]


async def test_the_page_takes_another_version_and_shows_every_one(app: FastAPI) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        at = "/moderation/assessments/measures"
        page = await joan.get(at)
        wrong = await form(joan, page, at, text="")
        assert "The document" in text_of(wrong.text)
        for words in ("We read what is reported.", "We read what is reported, and more."):
            kept = await form(joan, await joan.get(at), at, text=words)
            assert kept.headers["Location"] == f"{at}?done=saved", text_of(kept.text)
        assert "and more" in text_of((await joan.get(at)).text)
        assert (
            '<p class="plain-words" dir="auto">We read what is reported.</p>'
            in (await joan.get(f"{at}?version=1")).text
        )
        assert "Version 2" in text_of((await joan.get("/moderation/assessments")).text)

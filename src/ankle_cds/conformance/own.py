"""Our own service as the subject: over real HTTP on this machine, open on one address and guarded on another.

Its samples are the example stories, each at its own time. https://cds-hooks.hl7.org/2.0/
"""

from __future__ import annotations

import json
import secrets
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ankle_cds import settings, stories
from ankle_cds.client import RawClient
from ankle_cds.conformance.records import Records
from ankle_cds.conformance.samples import Sample
from ankle_cds.conformance.signing import Signer
from ankle_cds.conformance.subject import Subject
from ankle_cds.demo.stage import Stage
from ankle_cds.fhir import read_json_file
from ankle_cds.service import background, create_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ankle_cds.artifacts import Package
    from ankle_cds.stories import Story

ORIGIN = "https://ehr.example.org"
AUDIENCE = "https://cds.example.org"
_ISSUER = "https://client.example.org"
_LAUNCH = {"SmartLaunchUrl": "https://forms.example.org/launch"}
_PATIENCE = 10.0


class _OpenStage(Stage):
    """The stage of an examination: lets a browser origin in, says all it can, and gives slow machines time to read."""

    def site(self, parameters: Mapping[str, Any], **given: Any) -> settings.Settings:
        """Give the settings of a site that has set these parameters, in development mode."""
        more = {
            "emit_extensions": True,
            "cors_origins": (ORIGIN,),
            "callback_total": _PATIENCE,
            "callback_read": _PATIENCE,
        }
        return super().site(parameters, **more, public_base_url=AUDIENCE, **given)


@contextmanager
def own(
    *, packages: Mapping[str, Package] | None = None, chosen: Sequence[Story] | None = None, wrap: Any = None
) -> Iterator[Subject]:
    """Run our own service, open and guarded, while the context is open; gives it as the subject.

    `chosen` are the stories to call it with (default: all that are answered with 200), `wrap` what is put around its
    applications, to break them. Raises ContentError when content or stories cannot be read.
    """
    told = [one for one in (chosen if chosen is not None else stories.read_all()) if one.status == stories.OK]
    with ExitStack() as stack:
        around = wrap or (lambda app: app)
        stage = _OpenStage(packages)
        first = next(story for story in told if story.expect)
        stage.set(first)
        base = stack.enter_context(background(around(stage), stage.site({})))
        client = stack.enter_context(RawClient())
        samples = [_sample(stage, story) for story in told]
        samples.append(_sample(stage, first, _LAUNCH))
        signer = Signer.fresh(_ISSUER, AUDIENCE)
        guarded_site = _guarded(signer, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        app = create_app(stage.packages, guarded_site, lambda: first.clock)
        address = stack.enter_context(background(around(app), guarded_site))
        plain = Sample(first.id, first.condition, read_json_file(first.request_file))
        yield Subject(
            base,
            client,
            given=samples,
            origin=ORIGIN,
            records=stack.enter_context(Records()),
            foreign=stack.enter_context(Records()),
            guarded=Subject(address, client, given=[plain], signer=signer),
            metrics=f"http://127.0.0.1:{app.metrics.serve('127.0.0.1', 0)}/metrics",
        )


def _sample(stage: Stage, story: Story, more: Mapping[str, Any] | None = None) -> Sample:
    parameters = {**story.parameters, **(more or {})}
    name = f"{story.id} with {', '.join(more)}" if more else story.id
    body = read_json_file(story.request_file)
    return Sample(name, story.condition, body, partial(stage.set, story, parameters))


def _guarded(signer: Signer, folder: Path) -> settings.Settings:
    """Give the settings of a production site with one client, whose keys it has as a file."""
    file = folder / "keys.json"
    file.write_text(json.dumps({"keys": [key.public() for key in signer.keys]}), "utf-8")
    clients = [{"iss": signer.issuer, "key_set": str(file)}]
    memory = f"sqlite:///{folder / 'memory.sqlite3'}"
    secret = secrets.token_hex(32)
    return settings.load(
        environment={},
        public_base_url=AUDIENCE,
        clients=clients,
        port=0,
        request_deadline=60.0,
        memory=memory,
        secret=secret,
    )

"""The distributable package, from outside: what is built, opened, compared and loaded into a server."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from ankle_cds import artifacts, cli, publish, stories, validate
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from pathlib import Path

ID = "ankle-cds.posterior-ankle-impingement"
GUIDE = f"ImplementationGuide-{ID}.json"
BASE = "https://w3id.org/ankle-cds"
MAX_ARTIFACT, MAX_FILE = 1_000_000, 3_000_000


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "fhir"
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert cli.main(["build", "--out", str(folder)]) == 0
    (folder.parent / "said.txt").write_text(said.getvalue(), "utf-8")
    return folder


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    (package,) = artifacts.load_all().values()
    return package


@pytest.fixture(scope="module")
def tgz(out: Path) -> dict[str, bytes]:
    with tarfile.open(out / "package.tgz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def parts(out: Path, stem: str) -> list[dict[str, Any]]:
    """The Bundles of one set, in the order of their numbers."""
    return [read(path) for path in sorted(out.glob(f"{stem}.json")) or sorted(out.glob(f"{stem}.*.json"))]


def canonicals(bundles: list[dict[str, Any]]) -> list[str]:
    return [f"{entry['resource']['url']}|{entry['resource']['version']}" for one in bundles for entry in one["entry"]]


class Server:
    """As much of a FHIR server as a transaction of conditional creates asks for, and stricter than most.

    It refuses a reference to what it does not hold, and gives every resource an id of its own.
    """

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.created = 0

    def load(self, bundle: dict[str, Any]) -> None:
        assert bundle["type"] == "transaction"
        places = {}
        for entry in bundle["entry"]:
            request = entry["request"]
            assert (request["method"], request["url"]) == ("POST", entry["resource"]["resourceType"])
            found = self.search(request["url"], request["ifNoneExist"])
            if found is None:
                self.created += 1
                found = f"{request['url']}/{self.created}"
                self.stored[found] = entry["resource"]
            places[entry["fullUrl"]] = found
        for entry in bundle["entry"]:
            listed = entry["resource"].get("definition", {}).get("resource", [])
            for reference in (one["reference"]["reference"] for one in listed):
                kind, query, search = reference.partition("?")
                held = self.search(kind, search) if query else places.get(f"{BASE}/{reference}")
                assert held, f"{reference} leads nowhere"

    def search(self, kind: str, query: str) -> str | None:
        wanted = {name: value for name, (value,) in parse_qs(query).items()}
        assert set(wanted) == {"url", "version"}
        for place, one in self.stored.items():
            if place.startswith(f"{kind}/") and all(one[name] == value for name, value in wanted.items()):
                return place
        return None


def test_manifest_guide_bundles_package_and_files_list_the_same(
    out: Path, tgz: dict[str, bytes], package: artifacts.Package
) -> None:
    """Five lists of one package: whoever trusts one of them gets what the others name."""
    everything = {f"{url}|{package.version}" for url in package.resources}
    files = {path.name: read(path) for path in out.glob("*-*.json")}
    assert {f"{one['url']}|{one['version']}" for one in files.values()} == everything

    manifest = files["Library-PaiManifest.json"]
    owned = {one["resource"] for one in manifest["relatedArtifact"] if one["type"] == "composed-of"}
    assert owned | {f"{manifest['url']}|{manifest['version']}"} == everything

    guide = files[GUIDE]
    listed = [one for one in guide["definition"]["resource"] if one.get("exampleBoolean") is False]
    named = {f"{BASE}/{one['reference']['reference']}|{package.version}" for one in listed}
    assert named | {f"{guide['url']}|{guide['version']}"} == everything
    assert len(listed) == len(named)

    loaded = canonicals(parts(out, "bundle"))
    assert set(loaded) == everything
    assert len(loaded) == len(everything)

    packed = {name for name in tgz if re.fullmatch(r"package/[^/]+-[^/]+\.json", name)}
    assert packed == {f"package/{name}" for name in files}
    assert all(tgz[f"package/{name}"] == (out / name).read_bytes() for name in files)


def test_the_package_says_what_it_is(tgz: dict[str, bytes], package: artifacts.Package) -> None:
    said = json.loads(tgz["package/package.json"])
    assert (said["name"], said["version"], said["canonical"]) == (ID, package.version, BASE)
    assert said["fhirVersions"] == ["4.0.1"]
    assert said["dependencies"] == {"hl7.fhir.r4.core": "4.0.1"}
    assert said["date"] == "20261122000000"
    assert all(said[name] for name in ("url", "title", "description", "license", "type", "author"))


def test_the_index_lists_what_a_loader_looks_for(tgz: dict[str, bytes]) -> None:
    index = json.loads(tgz["package/.index.json"])
    assert index["index-version"] == 2
    names = [entry["filename"] for entry in index["files"]]
    assert sorted(names) == names
    assert {f"package/{name}" for name in names} == {
        name for name in tgz if re.fullmatch(r"package/[A-Z][A-Za-z]+-[^/]+\.json", name)
    }
    (profile,) = [entry for entry in index["files"] if entry["filename"] == "StructureDefinition-PaiEgfr.json"]
    assert (profile["kind"], profile["type"], profile["id"]) == ("resource", "Observation", "PaiEgfr")
    assert profile["url"] == f"{BASE}/StructureDefinition/PaiEgfr"


def test_every_chart_is_an_example_of_the_guide(out: Path, tgz: dict[str, bytes]) -> None:
    listed = read(out / GUIDE)["definition"]["resource"]
    examples = {one["reference"]["reference"] for one in listed if one.get("exampleBoolean") is not False}
    held = [json.loads(data) for name, data in tgz.items() if re.fullmatch(r"package/example/[A-Z].*\.json", name)]
    assert examples == {f"{one['resourceType']}/{one['id']}" for one in held}
    assert len(examples) == len({one.folder.parent if one.is_visit else one.folder for one in stories.read_all()})


def test_every_story_is_a_test_in_the_package(out: Path, tgz: dict[str, bytes]) -> None:
    for story in (one for one in stories.read_all() if not one.after):
        folder = f"tests/cdshooks/{story.condition}/{story.id}"
        for name in ("story.md", "request.json", "expected.json"):
            path = f"{folder}/{name}"
            assert tgz[f"package/{path}"] == (out / path).read_bytes() == (story.folder / name).read_bytes()
        assert json.loads(tgz[f"package/{folder}/chart.json"]) == json.loads(json.dumps(story.chart(), default=float))
        for card in story.expect:
            path = f"package/tests/plandefinition/{card.recommendation}/{story.id}/expected.json"
            cards = json.loads(tgz[path])["cards"]
            assert {one["source"]["topic"]["code"] for one in cards} == {card.recommendation}


def test_the_archive_depends_on_nothing_but_its_content(out: Path) -> None:
    """Sorted names, one date, no owner, and no time in the gzip head: anyone who builds it gets these bytes."""
    packed = (out / "package.tgz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert all(name.startswith("package/") and ".." not in name for name in names)
    assert {(one.uid, one.gid, one.uname, one.gname, one.mode, one.isfile()) for one in members} == {
        (0, 0, "", "", 0o644, True)
    }
    assert {member.mtime for member in members} == {1795305600}  # 2026-11-22T00:00:00Z, the date of the release
    assert (out / "package.tgz.sha256").read_text() == f"{hashlib.sha256(packed).hexdigest()}  package.tgz\n"


def test_bundles_load_in_order_and_a_second_time_change_nothing(out: Path, package: artifacts.Package) -> None:
    server = Server()
    bundles = parts(out, "bundle")
    for bundle in bundles:
        server.load(bundle)
    assert server.created == len(package.resources)
    for bundle in bundles:
        server.load(bundle)
    assert server.created == len(package.resources)
    assert bundles[-1]["entry"][0]["resource"]["resourceType"] == "ImplementationGuide"


def test_nothing_stands_before_what_it_needs(out: Path, package: artifacts.Package) -> None:
    """Asked of the text of each artifact, not of the tracer that ordered them."""
    loaded: set[str] = set()
    for url in (each.partition("|")[0] for each in canonicals(parts(out, "bundle"))):
        resource = package.get(url)
        if resource["resourceType"] not in {"ImplementationGuide", "CodeSystem"} and resource["id"] != "PaiManifest":
            plain = {name: value for name, value in resource.items() if name not in {"text", "extension", "meta"}}
            needed = set(re.findall(rf'"({BASE}/[A-Za-z]+/[A-Za-z0-9.-]+)["#]', json.dumps(plain, default=str)))
            whole = {one.get("valueCanonical") for one in resource.get("extension", [])}
            assert (needed & package.resources.keys()) - whole - {url} <= loaded, url
        loaded.add(url)


def test_each_recommendation_can_be_loaded_alone(out: Path, package: artifacts.Package) -> None:
    plans = [one for one in package.of_type("PlanDefinition") if one["type"]["coding"][0]["code"] == "eca-rule"]
    assert plans
    for plan in plans:
        bundles = parts(out, f"bundles/{plan['id']}")
        server = Server()
        for bundle in bundles:
            server.load(bundle)
        held = {one["url"] for one in server.stored.values()}
        assert bundles[-1]["entry"][0]["resource"]["id"] == plan["id"]
        assert {f"{BASE}/Library/{name}" for name in ("PaiLogic", "PaiCommon", "PaiConcepts")} <= held
        offered = re.findall(r'"definitionCanonical": "([^"]+)"', json.dumps(plan, default=str))
        assert set(offered) <= held
        assert package.pathway not in held
        for url in held:
            assert artifacts.needed(package.get(url)) & package.resources.keys() <= held, url


def test_no_file_is_larger_than_a_server_takes(out: Path, package: artifacts.Package) -> None:
    """One artifact is known to be above the limit of one megabyte: the logic, whose ELM is published as it is run."""
    large = {url for url, one in package.resources.items() if len(json.dumps(one, default=str)) > MAX_ARTIFACT}
    assert large == {f"{BASE}/Library/PaiLogic"}
    sizes = {path: path.stat().st_size for path in out.rglob("*.json")}
    assert not {path.name: size for path, size in sizes.items() if size > MAX_FILE}


def test_a_build_says_what_is_large(out: Path) -> None:
    assert "Library/PaiLogic has" in (out.parent / "said.txt").read_text("utf-8")


def test_everything_built_has_the_shape_of_fhir_r4(out: Path) -> None:
    assert validate.shape_problems(read(out / GUIDE)) == ()
    for bundle in parts(out, "bundle"):
        assert validate.shape_problems({**bundle, "entry": bundle["entry"][:2]}) == ()


def test_a_release_is_active_everywhere(tmp_path: Path, package: artifacts.Package) -> None:
    publish.publish(package, tmp_path, release=True)
    with tarfile.open(tmp_path / "package.tgz") as tar:
        packed = [json.load(tar.extractfile(one)) for one in tar if re.fullmatch(r"package/\w+-[^/]+\.json", one.name)]  # type: ignore[arg-type]
    loaded = [entry["resource"] for bundle in parts(tmp_path, "bundle") for entry in bundle["entry"]]
    assert len(packed) == len(loaded) == len(package.resources)
    assert {one["status"] for one in (*packed, *loaded)} == {"active"}


@pytest.mark.parametrize("name", ["bundle.9.json", "tests/x/story.md"])
def test_nothing_outlives_its_removal(name: str, tmp_path: Path, package: artifacts.Package) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("{}")
    with pytest.raises(ContentError, match=re.escape(name)):
        publish.publish(package, tmp_path, stories=())

"""Reading resources strictly: one reading of every text, or a refusal that says where."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ankle_cds import fhir
from ankle_cds.errors import ContentError, RequestError, RequestFault

if TYPE_CHECKING:
    from pathlib import Path


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "resource.yaml"
    path.write_text(text, encoding="utf-8")
    return path


class TestAuthoredYaml:
    def test_plain_values_are_true_false_numbers_or_text(self, tmp_path: Path) -> None:
        text = "a: true\nb: 12\nc: 1.50\nd: 2026-11-22\ne: 0.1.0\nf: text/cql\ng: Ankle pain (finding)\n"
        data = fhir.read_yaml(written(tmp_path, text)).data
        assert data == {
            "a": True,
            "b": 12,
            "c": Decimal("1.50"),
            "d": "2026-11-22",
            "e": "0.1.0",
            "f": "text/cql",
            "g": "Ankle pain (finding)",
        }

    @pytest.mark.parametrize(
        "value",
        [
            "no",
            "No",
            "yes",
            "on",
            "OFF",
            "y",
            "~",
            "Null",
            "TRUE",
            "0123",
            "0o17",
            "0x1F",
            "12:30",
            "1_000",
            "+1",
            ".5",
        ],
    )
    def test_what_yaml_versions_read_differently_is_refused(self, value: str, tmp_path: Path) -> None:
        """`code: no` is false to one reader and "no" to the next; in a guideline that is another answer."""
        with pytest.raises(ContentError, match=r"in quotes|empty") as caught:
            fhir.read_yaml(written(tmp_path, f"a: 1\ncode: {value}\n"))
        assert str(caught.value.where).endswith("resource.yaml:2")

    @pytest.mark.parametrize("value", ["no", "0123", "12:30", "240021001", "true"])
    def test_in_quotes_everything_is_text(self, value: str, tmp_path: Path) -> None:
        assert fhir.read_yaml(written(tmp_path, f'code: "{value}"\n')).data == {"code": value}

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("a: 1\na: 2\n", 2, "given twice"),
            ("a:\n\t- 1\n", 2, "tab"),
            ("a: &x 1\n", 1, "anchor"),
            ("a: 1\nb: *x\n", 2, "alias"),
            ("a: !!str 1\n", 1, "tag"),
            ("a: 1\n---\nb: 2\n", 2, "second document"),
            ("1: a\n", 1, "key"),
            ("a:\n", 1, "empty"),
            ("a: ''\n", 1, "empty"),
            ("a: []\n", 1, "empty"),
            ("a: {}\n", 1, "empty"),
            ("a: null\n", 1, "empty"),
            ("", 1, "empty"),
            ("- a\n", 1, "mapping"),
            ("a: [1\n", 2, "Not YAML"),
            ("<<: {a: 1}\n", 1, "quotes"),
        ],
    )
    def test_yaml_that_guesses_is_refused_at_its_line(self, text: str, line: int, words: str, tmp_path: Path) -> None:
        with pytest.raises(ContentError, match=words) as caught:
            fhir.read_yaml(written(tmp_path, text))
        assert str(caught.value.where).endswith(f"resource.yaml:{line}")

    def test_an_author_sees_every_mistake_of_a_file_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(ContentError) as caught:
            fhir.read_yaml(written(tmp_path, "a: no\nb:\nc: 012\n"))
        assert [str(cause.where)[-2:] for cause in caught.value.causes] == [":1", ":2", ":3"]

    def test_every_element_knows_its_line_and_an_absent_one_its_parents(self, tmp_path: Path) -> None:
        document = fhir.read_yaml(written(tmp_path, "a:\n  - b: 1\n  - b: 2\n    c:\n      d: 3\n"))
        lines = [
            document.where(*path).rpartition(":")[2] for path in [("a",), ("a", 1, "c", "d"), ("a", 1, "x"), ("z",)]
        ]
        assert lines == ["1", "5", "3", "1"]

    def test_block_text_ends_where_its_words_end(self, tmp_path: Path) -> None:
        assert fhir.read_yaml(written(tmp_path, "a: |\n  one\n  two\n")).data == {"a": "one\ntwo"}

    def test_only_a_file_that_is_no_resource_may_hold_an_empty_list(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a: []\n")
        assert fhir.read_yaml(path, empty_lists=True).data == {"a": []}
        with pytest.raises(ContentError, match="empty list"):
            fhir.read_yaml(path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ContentError, match="Cannot read") as caught:
            fhir.read_yaml(tmp_path / "absent.yaml")
        assert str(caught.value.where).endswith("absent.yaml")


class TestWireJson:
    def test_decimals_keep_their_digits(self) -> None:
        assert fhir.read_json(b'{"a": 1.10, "b": 3}') == {"a": Decimal("1.10"), "b": 3}
        assert str(fhir.read_json(b"[1.10]")[0]) == "1.10"

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            (b"", RequestFault.NOT_JSON),
            (b"{", RequestFault.NOT_JSON),
            (b"{'a': 1}", RequestFault.NOT_JSON),
            (b"[1,]", RequestFault.NOT_JSON),
            (b"[NaN]", RequestFault.NOT_JSON),
            (b"[1e99999999999999999999]", RequestFault.NOT_JSON),  # more than a Decimal can hold
            (b"[1e-99999999999999999999]", RequestFault.NOT_JSON),
            (b"[-Infinity]", RequestFault.NOT_JSON),
            (b"[1e400]", RequestFault.NOT_JSON),
            (b"[" + b"9" * 5000 + b"]", RequestFault.NOT_JSON),
            (b'["\\ud800"]', RequestFault.NOT_JSON),
            (b'["\\udc00\\ud800"]', RequestFault.NOT_JSON),
            (b'["\\u0000"]', RequestFault.NOT_JSON),
            (b'["\x00"]', RequestFault.NOT_JSON),
            (b"\xef\xbb\xbf{}", RequestFault.NOT_JSON),
            (b'["\xff"]', RequestFault.NOT_JSON),
            (b'["\xed\xa0\x80"]', RequestFault.NOT_JSON),
            (b'{"a": 1, "a": 2}', RequestFault.DUPLICATE_NAME),
            (b'[{"b": {"a": 1, "a": 1}}]', RequestFault.DUPLICATE_NAME),
            (b"[" * 65 + b"]" * 65, RequestFault.TOO_DEEP),
            (b'{"a":' * 65 + b"1" + b"}" * 65, RequestFault.TOO_DEEP),
            (b"[" * 100_000, RequestFault.TOO_DEEP),
            (b"[" * 10 + b"]" * 9, RequestFault.NOT_JSON),
            (b"]" * 100, RequestFault.NOT_JSON),
        ],
    )
    def test_a_body_with_two_readings_or_none_is_refused(self, body: bytes, fault: RequestFault) -> None:
        with pytest.raises(RequestError) as caught:
            fhir.read_json(body)
        assert caught.value.fault is fault

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            (b'["\\\\ud800", "\\ud83d\\ude00"]', ["\\ud800", "\N{GRINNING FACE}"]),
            (b'["[[[[\\"[[[["]', ['[[[["[[[[']),
            (b'["\\\\", "["]', ["\\", "["]),
            (b"[" * 64 + b"]" * 64, None),
        ],
    )
    def test_what_only_looks_bad_is_read(self, body: bytes, value: Any) -> None:
        """Brackets in a text are no nesting, an escaped backslash is no surrogate, the limit itself is allowed."""
        read = fhir.read_json(body)
        assert value is None or read == value

    @pytest.mark.parametrize(
        "body",
        [b"[" * 10_000_000, b'{"a":' * 2_000_000, b"[" * 5_000_000 + b"]" * 5_000_000, b'["' + b'\\"[' * 3_000_000],
    )
    def test_a_large_hostile_body_is_refused_at_once(self, body: bytes) -> None:
        """The work grows with the body, never with the body times its depth."""
        began = time.process_time()
        with pytest.raises(RequestError):
            fhir.read_json(body)
        assert time.process_time() - began < 1

    @pytest.mark.parametrize("before", [b"", b'["]", "", "\\"", ', b"[" + b"{}," * 5_000])
    def test_depth_is_counted_wherever_it_lies(self, before: bytes) -> None:
        """Behind texts with brackets and quotes in them, and far behind the beginning."""
        outer, after = (1, b"]") if before else (0, b"")
        deepest = 64 - outer
        fhir.read_json(before + b"[" * deepest + b"]" * deepest + after)
        with pytest.raises(RequestError) as caught:
            fhir.read_json(before + b"[" * (deepest + 1) + b"]" * (deepest + 1) + after)
        assert caught.value.fault is RequestFault.TOO_DEEP

    def test_a_refusal_repeats_nothing_of_the_body(self) -> None:
        with pytest.raises(RequestError) as caught:
            fhir.read_json(b'{"name": "Jane Doe", "name": "Jane Doe"}')
        assert "Jane" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(10**15), 10**15)
            | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), inner)
            ),
            max_leaves=20,
        )
    )
    def test_every_json_value_survives_reading_and_writing(self, value: Any) -> None:
        """Strictness refuses texts, not values."""
        assert fhir.read_json(json.dumps(value).encode()) == value
        assert fhir.read_json(fhir.write_json(value)) == value
        assert fhir.read_json(fhir.canonical_json(value)) == value

    def test_equal_values_have_one_canonical_form(self) -> None:
        one = {"b": [1, Decimal("2.5")], "a": "é"}
        other = {"a": "é", "b": [1, Decimal("2.50")]}
        assert fhir.canonical_json(one) == fhir.canonical_json(other) == '{"a":"é","b":[1,2.5]}'.encode()

    def test_our_own_files_are_ours_to_correct(self, tmp_path: Path) -> None:
        path = tmp_path / "x.json"
        path.write_bytes(b'{"a": 1, "a": 2}')
        with pytest.raises(ContentError, match="Duplicate") as caught:
            fhir.read_json_file(path)
        assert caught.value.where == str(path)


class TestReferences:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("Patient/1", ("Patient", "1")),
            ("https://ehr.example/fhir/Observation/a-b.c/_history/3", ("Observation", "a-b.c")),
            ("#contained", None),
            ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", None),
            ("Patient?name=x", None),
        ],
    )
    def test_a_literal_reference_gives_type_and_id(self, text: str, parts: tuple[str, str] | None) -> None:
        assert fhir.split_reference(text) == parts

    def test_a_canonical_gives_url_and_version(self) -> None:
        assert fhir.split_canonical("https://x/y|1.0") == ("https://x/y", "1.0")
        assert fhir.split_canonical("https://x/y") == ("https://x/y", None)

    def test_a_resource_without_id_has_no_reference(self) -> None:
        assert fhir.reference({"resourceType": "Patient"}) is None
        assert fhir.reference({"resourceType": "Patient", "id": "1"}) == "Patient/1"

    def test_a_malformed_entry_is_seen_not_dropped(self) -> None:
        """Whoever reads a Bundle must learn that something in it could not be used."""
        bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}, {"resource": 5}, 7]}
        assert [entry.resource is not None for entry in fhir.bundle_entries(bundle)] == [True, False, False]
        assert list(fhir.bundle_entries({"resourceType": "Bundle"})) == []

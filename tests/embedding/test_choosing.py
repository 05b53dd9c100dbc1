"""Which provider the settings choose, and the built-in one for code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from localfirst_schema.errors import ValidationError

from localfirst.embedding import configured, static_code
from localfirst.embedding.choice import EmbeddingChoice
from localfirst.embedding.provider import EmbeddingUnavailableError
from localfirst.embedding.providers import provider_of_model
from localfirst.settings import Settings, load, trust


def settings(folder: Path, **environment: str) -> Settings:
    return load(folder, {f"LOCALFIRST_{name}": value for name, value in environment.items()})


def test_the_built_in_model_is_the_default(tmp_path: Path) -> None:
    provider = configured(settings(tmp_path))
    assert (provider.model, provider.dimensions, provider.is_remote) == (static_code.MODEL, 256, False)


def test_a_service_is_chosen_with_its_model(tmp_path: Path) -> None:
    assert configured(settings(tmp_path, EMBEDDING="ollama:nomic-embed-text")).model == "ollama:nomic-embed-text"
    chosen = EmbeddingChoice.of(settings(tmp_path, EMBEDDING="openai:m", EMBEDDING_URL="http://x/v1", EMBEDDING_TOKEN="t"))
    assert chosen == ("openai", "m", "http://x/v1", "t", None)


def allow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user allows the settings file as it is."""
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    trust.allow(folder, (folder / ".localfirst.toml").read_bytes())


@pytest.mark.parametrize("name", ["ollama", "ollama:", "somebody:model", "builtin:x"])
def test_a_name_that_means_nothing_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="LOCALFIRST_EMBEDDING"):
        configured(settings(tmp_path, EMBEDDING=name))


def test_the_settings_file_names_the_model_but_never_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".localfirst.toml"
    file.write_text('embedding = "openai:m"\n')
    assert settings(tmp_path).embedding == "builtin", "code goes nowhere because a checkout says so"
    allow(tmp_path, monkeypatch)
    assert settings(tmp_path).embedding == "openai:m"
    file.write_text('embedding_token = "t"\n')
    with pytest.raises(ValidationError):
        settings(tmp_path)


def test_a_token_of_the_environment_does_not_go_to_a_place_that_a_checkout_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".localfirst.toml").write_text('embedding = "openai:m"\nembedding_url = "http://elsewhere"\n')
    assert settings(tmp_path, EMBEDDING_TOKEN="t").embedding_url is None
    allow(tmp_path, monkeypatch)
    assert settings(tmp_path, EMBEDDING_TOKEN="t").embedding_url == "http://elsewhere"
    assert settings(tmp_path, EMBEDDING_TOKEN="t").embedding_token is None
    assert settings(tmp_path, EMBEDDING_TOKEN="t", EMBEDDING_URL="http://mine").embedding_token == "t"


def test_the_index_of_the_model_before_is_still_asked_with_that_model(tmp_path: Path) -> None:
    now = settings(tmp_path, EMBEDDING="openai:new", EMBEDDING_TOKEN="t", EMBEDDING_URL="http://127.0.0.1:1")
    before = provider_of_model(static_code.MODEL, now, patience_s=1)
    assert before is not None
    assert before.model == static_code.MODEL
    assert provider_of_model("words of another version", now, patience_s=1) is None


def test_an_optional_package_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingUnavailableError, match=r"install sentence-transformers|cannot be loaded"):
        configured(settings(tmp_path, EMBEDDING="sentence-transformers:no/such-model"))
    with pytest.raises(EmbeddingUnavailableError, match=r"install model2vec|cannot be loaded"):
        configured(settings(tmp_path, EMBEDDING=f"model2vec:{tmp_path}"))


def test_code_vectors_are_unit_and_the_same_alone_and_among_others() -> None:
    provider = static_code.load()
    texts = ["Parser.parse\ndef parse(text):\n    return text", "\nx = 1", "one line", "", "\n", "?!\n?!", "größe\nself"]
    vectors = provider.embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 0, 0, 1], atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(provider.embed([text])[0], vector)


def test_the_symbol_tells_more_than_the_same_word_in_the_text() -> None:
    provider = static_code.load()
    query, titled, mentioned = provider.embed(
        ["retry policy", "RetryPolicy\nwait = 2\nreturn wait", "other_name\nwait = 2\nreturn retry_policy"]
    )
    assert query @ titled > query @ mentioned > 0

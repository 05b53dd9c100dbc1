"""What a file's name says: secret, lock file, binary or minified. Compared in lower case; content is never looked at."""

from __future__ import annotations

from localfirst.code_index.skipped import SkipRule

MAX_BYTES = 1 << 20
"""A file beyond 1 MiB is left out: people do not write such files, programs do (dumps, fixtures, amalgamations, bundles), and
one of them would fill the index with as many chunks as a hundred files that somebody wrote."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET_NAMES = _words(
    """
    id_rsa id_dsa id_ecdsa id_ed25519 id_ed25519_sk id_ecdsa_sk .npmrc .yarnrc.yml .pypirc .netrc _netrc .pgpass .my.cnf
    .htpasswd .git-credentials .dockercfg .dockerconfigjson .vault_pass .vault-token .s3cfg .boto credentials
    credentials.json credentials.yml credentials.yaml credentials.toml credentials.ini credentials.xml credentials.csv
    secret.json secrets.json secret.yml secrets.yml secret.yaml secrets.yaml secrets.toml secrets.ini secrets.xml
    secrets.properties client_secret.json service_account.json service-account.json serviceaccount.json kubeconfig
    terraform.tfstate.backup
    """
)
_SECRET_SUFFIXES = _words(
    """
    env pem key p12 pfx p8 jks keystore bks kdb kdbx ppk pkcs12 gpg pgp tfstate tfvars ovpn keytab mobileprovision
    """
)

_LOCK_NAMES = _words(
    """
    package-lock.json npm-shrinkwrap.json pnpm-lock.yaml pnpm-lock.yml yarn.lock bun.lockb go.sum go.work.sum
    packages.lock.json gradle.lockfile .terraform.lock.hcl package.resolved module.bazel.lock deno.lock .pnp.cjs
    .pnp.loader.mjs
    """
)
_LOCK_SUFFIXES = frozenset(("lock", "lockfile"))

_BINARY_SUFFIXES = _words(
    """
    png jpg jpeg gif bmp ico icns webp avif tif tiff heic psd ai eps xcf sketch fig blend fbx glb stl raw cr2 dng mp3 mp4
    m4a m4v mov avi mkv webm wav flac ogg oga ogv opus aac wma wmv mid midi zip gz tgz bz2 tbz xz txz zst lz4 lzma 7z rar
    tar jar war ear aar apk ipa dmg iso img deb rpm msi cab whl egg gem nupkg crate exe dll so dylib a o obj lib pdb class
    pyc pyo pyd elc beam wasm node bin dat pak dex rlib rmeta hi ko elf com sys pdf doc docx xls xlsx ppt pptx odt ods odp
    rtf epub mobi pages numbers ttf otf woff woff2 eot pfb sqlite sqlite3 db db3 mdb accdb dbf frm ibd parquet feather arrow
    orc avro hdf5 h5 npy npz pkl pickle joblib mat rds rdata pt pth ckpt onnx tflite safetensors gguf ggml caffemodel
    mlmodel pb weights tfrecord snap swp swo swf fla ds_store der crt cer csr p7b crl sig mo
    """
)

_MINIFIED = (
    ".min.js",
    ".min.mjs",
    ".min.cjs",
    "-min.js",
    ".min.css",
    ".min.html",
    ".js.map",
    ".mjs.map",
    ".ts.map",
    ".css.map",
)

# Directories that programs fill. Under git they count only where git does not track what is in them.
FILLED_DIRECTORIES = _words(
    """
    node_modules bower_components .venv __pycache__ .tox .nox .eggs .mypy_cache .pytest_cache .ruff_cache .hypothesis
    .gradle .next .nuxt .svelte-kit .parcel-cache .terraform .dart_tool .bundle .ipynb_checkpoints .direnv .yarn Pods
    DerivedData
    """
)
STORE_DIRECTORIES = frozenset((".git", ".hg", ".svn", ".jj", ".bzr", "CVS"))
"""What version control keeps for itself."""


def _is_secret(name: str, suffix: str) -> bool:
    if suffix in _SECRET_SUFFIXES or name in _SECRET_NAMES or name == ".envrc":
        return True
    if name.startswith(".env"):
        return not name[4:5].isalpha()  # ".env.local", but not ".environment"
    return name.startswith(("id_rsa.", "service-account")) and suffix != "pub"


def rule_of(path: str) -> tuple[SkipRule, str] | None:
    """The rule that leaves a file out by its name, with what was seen; None where the name says nothing."""
    name = path[path.rfind("/") + 1 :].lower()
    dot = name.rfind(".")
    suffix = name[dot + 1 :] if dot >= 0 else ""
    if _is_secret(name, suffix):
        return SkipRule.SECRET, name
    if suffix in _LOCK_SUFFIXES or name in _LOCK_NAMES:
        return SkipRule.LOCK_FILE, name
    if suffix in _BINARY_SUFFIXES:
        return SkipRule.BINARY, f".{suffix}"
    if name.endswith(_MINIFIED):
        return SkipRule.MINIFIED, name
    return None

"""How each language of a generated repository writes a file, a type, a function and a statement.

In the templates ``{a}`` and ``{b}`` are local variables, ``{new}`` a fresh one, ``{f}`` a function, ``{T}`` a type, ``{n}`` a
number, ``{s}`` a short text, ``{doc}`` and ``{more}`` sentences.
"""

# ruff: noqa: E501
from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """The syntax of one language, as templates."""

    suffix: str
    share: float
    comment: str
    function_style: str
    variable_style: str
    header: str
    declaration: str
    function: tuple[str, str]
    method: tuple[str, str]
    type: tuple[str, str] | None
    statements: list[tuple[str, int]]
    indent: str = "    "
    word_gap: str = " "


def _with_heights(*templates: str) -> list[tuple[str, int]]:
    return [(template, template.count("\n") + 1) for template in templates]


PYTHON = Language(
    ".py", 30, "#", "snake", "snake",
    '"""{doc}.\n\n{more}.\n"""\n\nfrom __future__ import annotations\n\nimport {s}\nfrom {a}.{b} import {T}',
    "{T} = {n}",
    ('def {f}({a}: {T}, {b}: int = {n}) -> {T}:\n    """{doc}.\n\n    {more}.\n    """', "    return {a}"),
    ('def {f}(self, {a}: {T}, {b}: str = "{s}") -> None:\n    """{doc}."""', "    return self.{a}"),
    ('class {T}({f}.{T}):\n    """{doc}.\n\n    {more}.\n    """\n\n    {a}: int = {n}\n    {b}: str\n', ""),
    _with_heights(
        "{new} = self.{f}({a}, {b})",
        "{new} = [{f}(one) for one in {a} if one.{b} > {n}]",
        "{new} = {a}.{b} + {n}",
        'logger.info("{s}: %s", {a}.{b})',
        "if {a} is None:\n    raise ValueError(\"{s}\")",
        "if {a}.{b} > {n}:\n    {new} = {f}({b})\nelse:\n    {new} = {b}",
        "for {new} in {a}.{f}():\n    if {new} not in {b}:\n        {b}[{new}] = {n}\n        continue\n    {f}({new}, {b})",
        "with {f}({a}) as {new}:\n    {new}.{f}({b}, limit={n})",
        "try:\n    {new} = {f}({a})\nexcept KeyError as error:\n    raise RuntimeError(\"{s}\") from error",
        '{new} = {{"{s}": {a}, "limit": {n}}}',
        "assert {a} <= {b}, \"{s}\"",
    ),
    word_gap="_",
)  # fmt: skip

_SCRIPT_STATEMENTS = (
    "const {new} = await {f}({a}, {b});",
    "const {new} = {a}.filter((one) => one.{b} > {n}).map((one) => {f}(one));",
    "{a}.{b} = {n};",
    "console.info(`{s}: ${{{a}.{b}}}`);",
    "if (!{a}) {{\n  throw new Error('{s}');\n}}",
    "if ({a}.{b} > {n}) {{\n  {f}({b});\n}} else {{\n  {a}.{f}();\n}}",
    "for (const {new} of {a}.{f}()) {{\n  {b}.push({new});\n}}",
    "try {{\n  await {f}({a});\n}} catch (error) {{\n  {f}(error, '{s}');\n}}",
    "const {new} = {{ ...{a}, limit: {n}, name: '{s}' }};",
    "switch ({a}.{b}) {{\n  case '{s}':\n    return {f}({a});\n  default:\n    break;\n}}",
)

TYPESCRIPT = Language(
    ".ts", 14, "//", "camel", "camel",
    "/** {doc}. */\nimport {{ {T} }} from './{s}';",
    "export type {T} = {T2} | number;",
    ("/**\n * {doc}.\n * {more}.\n */\nexport async function {f}({a}: {T}, {b}: number): Promise<{T}> {{", "  return {a};\n}}"),
    ("/** {doc}. */\nasync {f}({a}: {T}, {b} = {n}): Promise<void> {{", "  this.{a} = {b};\n}}"),
    ("/** {doc}. */\nexport class {T} implements {T}Like {{\n  private readonly {a}: number = {n};\n", "}}"),
    _with_heights(*_SCRIPT_STATEMENTS),
    indent="  ",
    word_gap="-",
)  # fmt: skip

TSX = Language(
    ".tsx", 4, "//", "pascal", "camel",
    "import React, {{ useState }} from 'react';\nimport {{ {T} }} from './{s}';",
    "export interface {T} {{\n  {a}: string;\n}}",
    ("/** {doc}. */\nexport const {f} = ({{ {a}, {b} }}: {T}) => {{\n  const [{a}State, setState] = useState({n});",
     '  return (\n    <section className="{s}">\n      <h2>{{{a}}}</h2>\n      <{T} value={{{b}}} />\n    </section>\n  );\n}};'),
    ("", ""),
    None,
    _with_heights(*[one.replace("await ", "") for one in _SCRIPT_STATEMENTS]),
    indent="  ",
    word_gap="-",
)  # fmt: skip

JAVASCRIPT = Language(
    ".js", 7, "//", "camel", "camel",
    "'use strict';\n\n// {doc}.\nconst {{ {f} }} = require('./{s}');",
    "const {T} = {n};",
    ("/**\n * {doc}.\n */\nfunction {f}({a}, {b} = {n}) {{", "  return {a};\n}}"),
    ("async {f}({a}, {b}) {{\n  // {doc}", "  return this.{a};\n}}"),
    ("class {T} extends {T}Base {{\n  constructor({a}) {{\n    super();\n    this.{b} = {a};\n  }}\n", "}}"),
    _with_heights(*[one for one in _SCRIPT_STATEMENTS if "await" not in one]),
    indent="  ",
    word_gap="-",
)  # fmt: skip

GO = Language(
    ".go", 11, "//", "pascal", "camel",
    "// Package work: {doc}.\npackage work\n\nimport (\n\t\"context\"\n\t\"fmt\"\n)",
    "const {T} = {n}",
    ("// {f} {doc}.\n// {more}.\nfunc {f}(ctx context.Context, {a} *{T}, {b} int) ({T}, error) {{", "\treturn *{a}, nil\n}}"),
    ("", ""),
    None,
    _with_heights(
        "{new}, err := {f}(ctx, {a}, {b})\nif err != nil {{\n\treturn *{a}, fmt.Errorf(\"{s}: %w\", err)\n}}",
        "{a}.{f}({b}, {n})",
        "if {a}.Limit > {n} {{\n\t{b} = {a}.{f}()\n}}",
        "for _, {new} := range {a}.{f}() {{\n\tif {new} == nil {{\n\t\tcontinue\n\t}}\n\t{b} += {new}.Size\n}}",
        "{new} := make(map[string]*{T}, {n})",
        "defer {a}.{f}()",
        "select {{\ncase {new} := <-{a}.Events:\n\t{f}({new})\ncase <-ctx.Done():\n\treturn *{a}, ctx.Err()\n}}",
        "{new} := &{T}{{Name: \"{s}\", Limit: {n}}}",
    ),
    indent="\t",
)  # fmt: skip

JAVA = Language(
    ".java", 8, "//", "camel", "camel",
    "package org.example.{a};\n\n/** {doc}. */\nimport java.util.List;\nimport java.util.Map;",
    "import org.example.{T};",
    ("/** {doc}. */\nfinal class {T} {{\n    /** {more}. */\n    public static int {f}(final {T} {a}, final int {b}) {{",
     "        return {n};\n    }}\n}}"),
    ("/**\n * {doc}.\n *\n * @param {a} {more}\n */\n@Override\npublic {T} {f}(final {T} {a}, final List<{T}> {b}) {{",
     "    return this.{a};\n}}"),
    ("/** {doc}. */\npublic class {T} extends {T}Base {{\n    private final Map<String, {T}> {a};\n    private int {b} = {n};\n", "}}"),
    _with_heights(
        "final {T} {new} = this.{f}({a}, {b});",
        "if ({a} == null) {{\n    throw new IllegalStateException(\"{s}\");\n}}",
        "for (final {T} {new} : {a}.{f}()) {{\n    this.{b}.put({new}.name(), {new});\n}}",
        "int {new} = {a}.size() + {n};",
        "LOGGER.info(\"{s}: {{}}\", {a});",
        "try {{\n    {f}({a});\n}} catch (final Exception error) {{\n    throw new RuntimeException(\"{s}\", error);\n}}",
        "{a}.stream().filter(one -> one.{f}() > {n}).forEach(this::{f});",
    ),
)  # fmt: skip

RUST = Language(
    ".rs", 6, "//", "snake", "snake",
    "//! {doc}.\n\nuse std::collections::HashMap;\nuse crate::{s}::{T};",
    "pub const {T}: usize = {n};",
    ("/// {doc}.\n///\n/// {more}.\npub fn {f}({a}: &{T}, {b}: usize) -> Result<{T}, Error> {{", "    Ok({a}.clone())\n}}"),
    ("/// {doc}.\npub fn {f}(&mut self, {a}: &{T}, {b}: u64) -> Option<{T}> {{", "    None\n}}"),
    ("#[derive(Debug, Clone)]\npub struct {T} {{\n    {a}: u64,\n    {b}: String,\n}}\n\nimpl {T} {{", "}}"),
    _with_heights(
        "let {new} = {f}(&{a}, {b})?;",
        "let {new}: Vec<_> = {a}.iter().filter(|one| one.{b} > {n}).collect();",
        "if {a}.is_empty() {{\n    return Err(Error::new(\"{s}\"));\n}}",
        "match {a}.{f}() {{\n    Some({new}) => {f}({new}),\n    None => {b} += {n},\n}}",
        "for {new} in {a}.{f}() {{\n    {b}.push({new});\n}}",
        "{a}.{b} = {n};",
        "debug!(\"{s}: {{:?}}\", {a});",
    ),
    word_gap="_",
)  # fmt: skip

_C_STATEMENTS = (
    "int {new} = {f}({a}, {b});",
    "if ({a} == NULL) {{\n    return -{n};\n}}",
    "for (size_t i = 0; i < {n}; i++) {{\n    {a}[i] = {f}({b});\n}}",
    "{a}->{b} = {n};",
    "fprintf(stderr, \"{s}: %d\\n\", {a}->{b});",
    "while ({a} > {b}) {{\n    {a} -= {f}({b});\n}}",
    "switch ({a}->{b}) {{\ncase {n}:\n    {f}({a});\n    break;\ndefault:\n    break;\n}}",
)  # fmt: skip

C = Language(
    ".c", 4, "//", "snake", "snake",
    "/* {doc}. */\n#include <stdio.h>\n#include \"{s}.h\"",
    "#define {T} {n}",
    ("/* {doc}.\n * {more}. */\nstatic int {f}(struct {T} *{a}, int {b})\n{{", "    return 0;\n}}"),
    ("", ""),
    None,
    _with_heights(*_C_STATEMENTS),
    word_gap="_",
)  # fmt: skip

CPP = Language(
    ".cpp", 3, "//", "camel", "snake",
    "// {doc}.\n#include <vector>\n#include \"{s}.hpp\"",
    "using {T} = std::vector<{T2}>;",
    ("/// {doc}.\ntemplate <typename Item>\nint {f}(const {T}& {a}, std::size_t {b}) {{", "    return {n};\n}}"),
    ("/// {doc}.\nint {f}(const {T}& {a}, int {b} = {n}) {{", "    return {a}_;\n}}"),
    ("/// {doc}.\nclass {T} : public {T}Base {{\npublic:\n    explicit {T}(int {a}) : {a}_({a}) {{}}\n", "private:\n    int {a}_;\n}};"),
    _with_heights(*_C_STATEMENTS, "auto {new} = std::make_unique<{T}>({a}, {n});", "for (const auto& one : {a}) {{\n    {b}.push_back(one);\n}}"),
    word_gap="_",
)  # fmt: skip

RUBY = Language(
    ".rb", 2, "#", "snake", "snake",
    "# frozen_string_literal: true\n\n# {doc}.\nrequire '{s}'",
    "# {T} is {n}",
    ("# {doc}.\ndef {f}({a}, {b}: {n})", "  {a}\nend"),
    ("# {doc}.\ndef {f}({a}, {b} = nil)", "  @{a}\nend"),
    ("# {doc}.\nclass {T} < {T}Base\n  attr_reader :{a}, :{b}\n", "end"),
    _with_heights(
        "{new} = {f}({a}, {b})",
        "raise ArgumentError, '{s}' if {a}.nil?",
        "{a}.each do |{new}|\n  {b} << {new}.{f}\nend",
        "unless {a}.{b} > {n}\n  logger.info('{s}')\nend",
        "{new} = {a}.select {{ |one| one.{b} }}",
    ),
    indent="  ",
    word_gap="_",
)  # fmt: skip

MARKDOWN = Language(
    ".md", 5, "", "snake", "snake",
    "# {T}\n\n{doc}. {more}.",
    "- `{T}`: {s}, at most {n}",
    ("## {f} and {T}\n\n{doc}. {more}.\n", ""),
    ("", ""),
    None,
    _with_heights(
        "The `{a}` comes before the `{b}`, and never after {n} of them ({s}).",
        "- `{f}` needs a `{T}`\n- `{new}` is {n}",
        "```python\n{new} = {f}({a})\n```",
        "### {T}\n\nSee `{f}` where {s} matters.",
    ),
    indent="",
)  # fmt: skip

YAML = Language(
    ".yaml", 3, "#", "snake", "snake",
    "# {doc}.\nversion: {n}",
    "# {T}: {n}",
    ("{f}:", ""),
    ("", ""),
    None,
    _with_heights("- {new}: {n}\n  {a}: \"{s}\"", "- name: {f}\n  run: {s}\n  limits:\n    {a}: {n}\n    {b}: {n}"),
    indent="  ",
    word_gap="-",
)  # fmt: skip

SQL = Language(
    ".sql", 2, "--", "snake", "snake",
    "-- {doc}.",
    "-- {T}: {n}",
    ("-- {doc}.\nCREATE TABLE {f} (\n    id bigint PRIMARY KEY,\n    {a} text NOT NULL\n);", ""),
    ("", ""),
    None,
    _with_heights(
        "SELECT {a}, count(*)\nFROM {f}\nWHERE {b} > {n}\nGROUP BY {a};",
        "UPDATE {f} SET {a} = '{s}' WHERE {b} = {n};",
        "CREATE INDEX {f}_by_{a} ON {f} ({a}, {b});",
    ),
    indent="",
)  # fmt: skip

SHELL = Language(
    ".sh", 1, "#", "snake", "snake",
    "#!/usr/bin/env bash\n# {doc}.\nset -euo pipefail",
    "{T}={n}",
    ("# {doc}.\n{f}() {{\n    local {a}=\"$1\"", "}}"),
    ("", ""),
    None,
    _with_heights(
        "{new}=\"$({f} \"${{{a}}}\")\"",
        "if [ -z \"${{{a}}}\" ]; then\n    echo '{s}' >&2\n    return {n}\nfi",
        "for {new} in \"${{{a}}}\"/*; do\n    {f} \"${{{new}}}\"\ndone",
    ),
)  # fmt: skip

LANGUAGES = (PYTHON, TYPESCRIPT, TSX, JAVASCRIPT, GO, JAVA, RUST, C, CPP, RUBY, MARKDOWN, YAML, SQL, SHELL)

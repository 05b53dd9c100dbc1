"""What each grammar calls a definition, and where its name stands.

A node's type plays one role: a definition of some kind, a wrapper around one (decorators, `export`, `template`), a comment or
an attribute that belongs to what follows, or a container that is looked through (namespaces, conditional compilation).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node


class Part(Enum):
    """The role of a node that is no definition itself."""

    COMMENT = auto()
    WRAPPER = auto()
    THROUGH = auto()
    BRANCH = auto()
    """A statement that may choose between definitions: looked through as well, where it is long."""

    OTHER = auto()


class Definition(NamedTuple):
    """What a node defines."""

    kind: str
    name: str
    node: Node
    """Where its members are looked for."""


CONTAINERS = frozenset(
    ("class", "interface", "enum", "struct", "trait", "impl", "module", "object", "extension", "protocol", "record")
)
"""Kinds whose members are chunks of their own, named after them."""

_KINDS = {
    "python": {"function_definition": "function", "class_definition": "class", "type_alias_statement": "type"},
    "javascript": {
        "function_declaration": "function", "generator_function_declaration": "function", "class_declaration": "class",
        "class": "class", "method_definition": "method",
    },
    "typescript": {
        "function_declaration": "function", "generator_function_declaration": "function", "function_signature": "function",
        "class_declaration": "class", "abstract_class_declaration": "class", "class": "class", "method_definition": "method",
        "abstract_method_signature": "method", "interface_declaration": "interface", "enum_declaration": "enum",
        "type_alias_declaration": "type", "internal_module": "module", "module": "module",
    },
    "go": {"function_declaration": "function", "method_declaration": "method", "type_declaration": "type"},
    "rust": {
        "function_item": "function", "function_signature_item": "function", "struct_item": "struct", "enum_item": "enum",
        "union_item": "struct", "trait_item": "trait", "impl_item": "impl", "mod_item": "module", "macro_definition": "macro",
        "type_item": "type",
    },
    "java": {
        "class_declaration": "class", "interface_declaration": "interface", "enum_declaration": "enum",
        "record_declaration": "record", "annotation_type_declaration": "interface", "method_declaration": "method",
        "constructor_declaration": "constructor", "compact_constructor_declaration": "constructor",
    },
    "c": {
        "function_definition": "function", "struct_specifier": "struct", "union_specifier": "struct", "enum_specifier": "enum",
        "type_definition": "type", "preproc_function_def": "macro",
    },
    "csharp": {
        "class_declaration": "class", "struct_declaration": "struct", "interface_declaration": "interface",
        "enum_declaration": "enum", "record_declaration": "record", "record_struct_declaration": "record",
        "method_declaration": "method", "constructor_declaration": "constructor", "destructor_declaration": "method",
        "property_declaration": "property", "indexer_declaration": "property", "operator_declaration": "method",
        "delegate_declaration": "type", "local_function_statement": "function",
    },
    "ruby": {"class": "class", "module": "module", "method": "method", "singleton_method": "method"},
    "php": {
        "class_declaration": "class", "interface_declaration": "interface", "trait_declaration": "trait",
        "enum_declaration": "enum", "function_definition": "function", "method_declaration": "method",
    },
    "kotlin": {
        "class_declaration": "class", "object_declaration": "object", "companion_object": "object",
        "function_declaration": "function", "secondary_constructor": "constructor", "type_alias": "type",
    },
    "swift": {
        "class_declaration": "class", "protocol_declaration": "protocol", "function_declaration": "function",
        "init_declaration": "constructor", "deinit_declaration": "method", "protocol_function_declaration": "method",
        "subscript_declaration": "method", "typealias_declaration": "type",
    },
    "scala": {
        "class_definition": "class", "object_definition": "object", "trait_definition": "trait", "enum_definition": "enum",
        "function_definition": "function", "function_declaration": "function", "given_definition": "object",
        "type_definition": "type", "package_object": "object",
    },
    "shell": {"function_definition": "function"},
    "lua": {"function_declaration": "function", "function_definition_statement": "function"},
    "sql": {
        "create_table": "table", "create_view": "view", "create_materialized_view": "view", "create_function": "function",
        "create_procedure": "function", "create_trigger": "trigger", "create_index": "index", "create_type": "type",
        "create_schema": "schema", "create_sequence": "sequence", "alter_table": "table",
    },
    "yaml": {"block_mapping_pair": "key"},
    "json": {"pair": "key"},
    "toml": {"table": "table", "table_array_element": "table"},
    "hcl": {"block": "block"},
    "css": {"keyframes_statement": "keyframes"},
}  # fmt: skip
_KINDS["tsx"] = _KINDS["typescript"]
_KINDS["cpp"] = _KINDS["c"] | {
    "class_specifier": "class", "concept_definition": "type", "alias_declaration": "type",
}  # fmt: skip
_KINDS["objc"] = _KINDS["c"] | {
    "class_interface": "interface", "class_implementation": "class", "protocol_declaration": "protocol",
    "method_definition": "method",
}  # fmt: skip
_KINDS["scss"] = _KINDS["css"] | {"mixin_statement": "mixin", "function_statement": "function"}

# Languages without a table of their own: most grammars name their nodes alike.
_USUAL = re.compile(
    r"(?:local_|async_)?(function|method|class|struct|interface|enum|trait|module|message|service|contract|object|protocol|"
    r"constructor|modifier|macro|mixin|extension|record|procedure|subroutine|type)(?:_type|_spec)?_"
    r"(?:definition|declaration|item|statement|signature|def)"
)
_USUAL_KINDS = {
    "message": "struct",
    "service": "interface",
    "contract": "class",
    "procedure": "function",
    "subroutine": "function",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRAPPERS = _words(
    """
    decorated_definition export_statement ambient_declaration template_declaration declaration statement
    local_declaration_statement definition global_statement visibility_modifier
    """
)
_BRANCHES = {
    "python": frozenset(("if_statement", "else_clause", "elif_clause", "try_statement", "except_clause", "block")),
}
_THROUGH = _words(
    """
    namespace_definition namespace_declaration linkage_specification preproc_if preproc_ifdef preproc_else preproc_elif
    extern_block foreign_mod_item declaration_list namespace_block package_clause block_mapping block_node document stream
    object array compound_statement_list translation_unit source_file program transaction media_statement
    """
)
_COMMENTS = frozenset(("attribute_item", "inner_attribute_item", "decorator", "attribute_list", "marginalia", "annotation"))
_NAMES = _words(
    """
    identifier type_identifier simple_identifier property_identifier field_identifier constant word name object_reference
    message_name service_name enum_name rpc_name bare_key dotted_key quoted_key string string_lit flow_node
    qualified_identifier user_type
    """
)
_MAX_NAME = 120


@cache
def role(language: str, node_type: str) -> str | Part:
    """The kind of definition, or the part that a node of this type plays."""
    kinds = _KINDS.get(language)
    if kinds is None:
        usual = _USUAL.fullmatch(node_type)
        if usual:
            return _USUAL_KINDS.get(usual.group(1), usual.group(1))
    elif node_type in kinds:
        return kinds[node_type]
    if node_type in _COMMENTS or "comment" in node_type:
        return Part.COMMENT
    if node_type in _BRANCHES.get(language, ()):
        return Part.BRANCH
    if node_type in _THROUGH:
        return Part.THROUGH
    return Part.WRAPPER if node_type in _WRAPPERS else Part.OTHER


_ASSIGNMENTS = _words(
    """
    lexical_declaration variable_declaration expression_statement assignment public_field_definition field_definition pair
    assignment_statement assignment_expression
    """
)
_STATEMENTS = frozenset(("lexical_declaration", "variable_declaration", "expression_statement"))
_SIDES = {
    "assignment": ("left", "right"),
    "assignment_expression": ("left", "right"),
    "variable_declarator": ("name", "value"),
    "public_field_definition": ("name", "value"),
    "field_definition": ("property", "value"),
    "pair": ("key", "value"),
}
_FUNCTIONS = frozenset(
    ("arrow_function", "function_expression", "generator_function", "function_definition", "function", "lambda")
)
_LITERALS = frozenset(
    ("object", "array", "dictionary", "list", "set", "tuple", "concatenated_string", "string", "template_string",
    "table_constructor",
     "call_expression", "call", "new_expression", "as_expression", "satisfies_expression", "list_comprehension")
)  # fmt: skip
_LARGE_VALUE = 6
"""Lines from which a named value is found by its name; shorter ones stay among their neighbours."""


class Definitions:
    """The definitions of one source."""

    def __init__(self, language: str, source: bytes) -> None:
        self._language = language
        self._source = source

    def of(self, node: Node, node_type: str) -> Definition | None:
        """What the node defines, if anything, through wrappers around it."""
        found = role(self._language, node_type)
        if isinstance(found, str):
            return self._named(found, node)
        if found is Part.WRAPPER:
            for child in node.named_children:
                inside = role(self._language, child.type)
                if isinstance(inside, str) or inside is Part.WRAPPER or child.type in _ASSIGNMENTS:
                    known = self.of(child, child.type)
                    if known is not None:
                        return known
            return None
        if node_type in _ASSIGNMENTS:
            return self._assigned(node)
        return None

    def _named(self, kind: str, node: Node) -> Definition | None:
        name = self._name(node)
        if not name:
            return None
        if kind == "type" and self._language == "go":
            spec = next((child for child in node.named_children if child.type in ("type_spec", "type_alias")), None)
            inside = spec.child_by_field_name("type") if spec is not None else None
            kind = {"struct_type": "struct", "interface_type": "interface"}.get(inside.type if inside is not None else "", kind)
        elif kind in ("struct", "enum") and self._language in ("c", "cpp", "objc") and node.child_by_field_name("body") is None:
            return None  # a type that is mentioned, not defined
        elif kind == "class" and self._language in ("swift", "kotlin"):
            word = next((child.type for child in node.children if child.type in CONTAINERS), "class")
            kind = word if word != "actor" else "class"
        return Definition(kind, name, node)

    def _name(self, node: Node) -> str:
        if self._language == "go":
            if node.type == "type_declaration":
                spec = next((child for child in node.named_children if child.type in ("type_spec", "type_alias")), None)
                return self._text(spec.child_by_field_name("name")) if spec is not None else ""
            if node.type == "method_declaration":
                receiver = re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*\)$", self._text(node.child_by_field_name("receiver")))
                name = self._text(node.child_by_field_name("name"))
                return f"{receiver.group(1)}.{name}" if receiver else name
        if node.type == "impl_item":
            return self._text(node.child_by_field_name("type")).split("<")[0]
        if self._language in ("c", "cpp", "objc"):
            declarator = node.child_by_field_name("declarator")
            if declarator is not None:
                return self._declared(declarator)
        if node.type == "init_declaration":
            return "init"
        if node.type == "deinit_declaration":
            return "deinit"
        if node.type in ("secondary_constructor", "companion_object"):
            return self._text(node.child_by_field_name("name")) or {"companion_object": "Companion"}.get(
                node.type, "constructor"
            )
        if self._language == "hcl":
            return ".".join(
                self._text(child).strip('"') for child in node.named_children if child.type in ("identifier", "string_lit")
            )
        found = node.child_by_field_name("name") or node.child_by_field_name("key")
        if found is None:
            found = next((child for child in node.named_children if child.type in _NAMES), None)
        return self._text(found).strip("\"'").replace("::", ".").replace(":", ".")

    def _declared(self, declarator: Node) -> str:
        """The name inside ``*name(arguments)``."""
        node: Node | None = declarator
        for _ in range(12):
            if node is None:
                return ""
            inner = node.child_by_field_name("declarator")
            if inner is None and node.type in ("reference_declarator", "parenthesized_declarator", "pointer_declarator"):
                inner = next(
                    (child for child in node.named_children if "declarator" in child.type or child.type in _NAMES), None
                )
            if inner is None:
                break
            node = inner
        return re.sub(r"<.*?>", "", self._text(node)).replace("::", ".")

    def _assigned(self, node: Node) -> Definition | None:
        """``const name = () => …``, ``name = {…}`` and the like: a function, a class, or a value of many lines."""
        target = node
        for _ in range(3):
            if target.type not in _STATEMENTS:
                break
            inner = next((child for child in target.named_children if "comment" not in child.type), None)
            if inner is None:
                return None
            if isinstance(role(self._language, inner.type), str):
                return self.of(inner, inner.type)
            target = inner
        fields = _SIDES.get(target.type)
        if fields is not None:
            left, right = target.child_by_field_name(fields[0]), target.child_by_field_name(fields[1])
        elif target.type == "assignment_statement" and target.named_child_count == 2:  # Lua
            left, right = (side.named_child(0) or side for side in target.named_children)
        else:
            return None
        if left is None or right is None:
            return None
        is_large = right.end_point.row - node.start_point.row + 1 >= _LARGE_VALUE
        if not is_large and right.type in _LITERALS and right.type != "call_expression":
            return None
        name = self._text(left).strip("\"'").replace(":", ".")
        if not name or "\n" in name or name[0] in "[{(":
            return None
        name = name.removeprefix("module.exports.").removeprefix("exports.").removeprefix("this.").replace(".prototype.", ".")
        if right.type in _FUNCTIONS or self._wrapped_function(right):
            return Definition("function", name, right)
        if right.type == "class":
            return Definition("class", name, right)
        if is_large and right.type in _LITERALS:
            return Definition("object" if right.type in ("object", "table_constructor") else "constant", name, right)
        return None

    def _wrapped_function(self, node: Node) -> bool:
        """``memo(() => …)``, ``useCallback(async () => …)``: a call whose first argument is a function."""
        if node.type != "call_expression":
            return False
        arguments = node.child_by_field_name("arguments")
        first = arguments.named_child(0) if arguments is not None and arguments.named_child_count else None
        return first is not None and first.type in _FUNCTIONS

    def _text(self, node: Node | None) -> str:
        if node is None:
            return ""
        # Not `node.text`: that reads the whole source again.
        text = self._source[node.start_byte : min(node.end_byte, node.start_byte + 4 * _MAX_NAME)].decode("utf-8", "replace")
        return " ".join(text.split())[:_MAX_NAME]

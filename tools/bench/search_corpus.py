"""Work items as a software project has them, and questions that people ask about them, for judging the search.

`ITEMS` are written by hand; `fillers` makes any number of further ones about other things, equally for equal arguments.
Each question names the titles that answer it. `WORDS` share words with the answer, `MEANINGS` hardly any, `NOTHING` has no
answer. Weights and thresholds were chosen on the questions at even places; those at odd places were held out.
"""

from __future__ import annotations

import random
from typing import NamedTuple


class Item(NamedTuple):
    """A work item: its title and a text of its metadata."""

    title: str
    note: str


class Question(NamedTuple):
    """A query, and the titles of which each is a right answer."""

    query: str
    answers: tuple[str, ...]


ITEMS = (
    Item("Fix login timeout on slow networks", "Users are thrown out while the password form is still loading."),
    Item("Cache invalidation for the price list", "Stale prices stay visible for up to an hour after an update."),
    Item("Add dark mode to the settings page", "Colours should follow the operating system's theme."),
    Item("Upgrade PostgreSQL to version 18", "Needs a maintenance window and a rehearsal of pg_upgrade."),
    Item("Reduce memory use of the PDF extractor", "Large scans take more than 4 GB and the worker is killed."),
    Item("Export invoices as CSV", "Accounting wants a spreadsheet with one row per invoice."),
    Item("Encrypt backups at rest", "Use a key from the vault; document the restore."),
    Item("Nightly backup fails when the disk is full", "No alert is sent and the old archives are not rotated."),
    Item("Rate limiting for the public API", "A single client can exhaust all the connections."),
    Item("Rename customer to account everywhere", "Database columns, endpoints and documentation."),
    Item("Translate the user interface into German", "Strings are extracted, the dates and numbers follow the locale."),
    Item("Flaky test in the payment suite", "Fails one time in twenty on the build server, probably a race."),
    Item("Send an email when an order ships", "Template with tracking number and carrier."),
    Item("Remove unused feature flags", "Forty toggles have been on for everyone since last year."),
    Item("Document the release process", "Step by step, including how to roll back."),
    Item("Support single sign-on with SAML", "Enterprise customers want to use their identity provider."),
    Item("Crash when the uploaded file is empty", "IndexError in parse_header, no message for the user."),
    Item("Index the orders table by customer", "The overview query does a sequential scan and takes 8 seconds."),
    Item("Move images to a content delivery network", "Photographs load slowly outside Europe."),
    Item("Audit log of administrator actions", "Who changed which permission, and when."),
    Item("OCR for handwritten receipts", "Evaluate recognition engines on the sample set."),
    Item("Retry failed webhooks with backoff", "Deliveries are lost when the receiver is down for a minute."),
    Item("Accessibility of the checkout form", "Screen readers do not announce the errors."),
    Item("Delete personal data on request", "GDPR: within thirty days, in the archives too."),
    Item("Split the monolith's billing module", "A service of its own with a narrow interface."),
    Item("Parser drops the last line of Excel sheets", "Off by one in the row iterator when there is no footer."),
    Item("Time zone of the daily report", "It is generated at midnight UTC, customers expect local time."),
    Item("Upgrade the linter and fix the warnings", "Two hundred findings, most of them unused imports."),
    Item("Pagination of the vendor list", "Only the first hundred are displayed."),
    Item("Compress HTTP responses", "Text shrinks to a fifth with brotli."),
    Item("Alert when the queue grows", "Page the engineer on call above ten thousand waiting messages."),
    Item("Onboarding guide for new developers", "From a fresh laptop to the first merged change."),
    Item("Deadlock between import and nightly cleanup", "Both lock the same rows in different order."),
    Item("Choose a message broker", "Compare Kafka, RabbitMQ and plain PostgreSQL for our volume."),
    Item("Coupon codes at the till", "Percentages and fixed amounts, limited per customer."),
    Item("Search suggestions while typing", "Should answer within fifty milliseconds."),
    Item("Move secrets out of the repository", "Passwords and tokens stand in plain text in the configuration."),
    Item("Two-factor authentication", "One-time codes by an app; recovery codes on paper."),
    Item("Refund partially returned orders", "Money goes back for the items sent back only."),
    Item("Container image is too large", "Build in stages and leave the compilers out."),
    Item("Measure test coverage", "And show it on each pull request."),
    Item("Users cannot reset their password", "The link in the mail has expired before it arrives."),
    Item("Wrong VAT for orders to Switzerland", "The tax table is from last year."),
    Item("Drag and drop for the kanban board", "Cards jump back on touch screens."),
    Item("Archive sessions older than a year", "They slow down the list and nobody looks at them."),
    Item("Vendor_7 manifest is not compliant", "The extractor's version is missing from the manifest file."),
    Item("Replace moment.js", "The library is no longer maintained and weighs 300 KB."),
    Item("Load test before the Christmas sale", "Simulate twenty times the usual number of visitors."),
    Item("Duplicate rows after an interrupted import", "The job starts from the beginning instead of its checkpoint."),
    Item("Push notifications on mobile", "For messages and for changes of an order's state."),
    Item("Unicode names are garbled in PDFs", "Accented letters turn into question marks."),
    Item("Health endpoint for the load balancer", "Says whether the database and the broker can be reached."),
    Item("Merge customers that exist twice", "With one history and all their addresses."),
    Item("Trace requests across services", "OpenTelemetry, sampled at one per cent."),
    Item("Let users download their own data", "A ZIP file with everything, by mail."),
    Item("Spike: vector search for the help centre", "Would embeddings find better articles than keywords do?"),
    Item("Migrate the build from Jenkins to GitHub Actions", "Pipelines, secrets and self-hosted runners."),
    Item("Café address shows the wrong café", "Geocoding mixes up places with the same name."),
    Item("Memory leak in the websocket server", "Closed connections are never removed from the registry."),
    Item("Interview five customers about reporting", "What do they export, and what for?"),
)

WORDS = (
    Question("login timeout", ("Fix login timeout on slow networks",)),
    Question("postgresql upgrade", ("Upgrade PostgreSQL to version 18",)),
    Question("invoices csv", ("Export invoices as CSV",)),
    Question("backup disk full", ("Nightly backup fails when the disk is full",)),
    Question("retrying webhook", ("Retry failed webhooks with backoff",)),
    Question("cafe", ("Café address shows the wrong café",)),
    Question("deadlocks in cleanup", ("Deadlock between import and nightly cleanup",)),
    Question("vendor_7", ("Vendor_7 manifest is not compliant",)),
    Question("where do we describe how a release is rolled back", ("Document the release process",)),
    Question("parse_header", ("Crash when the uploaded file is empty",)),
    Question("dark mode", ("Add dark mode to the settings page",)),
    Question("saml", ("Support single sign-on with SAML",)),
    Question("what was that flaky payment test", ("Flaky test in the payment suite",)),
    Question("translation german", ("Translate the user interface into German",)),
    Question("the price list cache is stale", ("Cache invalidation for the price list",)),
    Question("memory leak", ("Memory leak in the websocket server",)),
)

MEANINGS = (
    Question("slow database query", ("Index the orders table by customer",)),
    Question("users are signed out unexpectedly", ("Fix login timeout on slow networks", "Users cannot reset their password")),
    Question("spreadsheet download for bookkeeping", ("Export invoices as CSV",)),
    Question("too much RAM", ("Reduce memory use of the PDF extractor", "Memory leak in the websocket server")),
    Question("privacy law erasure", ("Delete personal data on request",)),
    Question("throttle abusive clients", ("Rate limiting for the public API",)),
    Question("internationalisation", ("Translate the user interface into German",)),
    Question("unreliable unit tests in continuous integration", ("Flaky test in the payment suite",)),
    Question("blind people cannot buy", ("Accessibility of the checkout form",)),
    Question("credentials in git", ("Move secrets out of the repository",)),
    Question("discount vouchers", ("Coupon codes at the till",)),
    Question("docker size", ("Container image is too large",)),
    Question("night theme", ("Add dark mode to the settings page",)),
    Question("money back", ("Refund partially returned orders",)),
    Question("incorrect tax", ("Wrong VAT for orders to Switzerland",)),
    Question("performance under heavy traffic", ("Load test before the Christmas sale",)),
    Question("pictures are slow", ("Move images to a content delivery network",)),
    Question("text recognition of scanned paper", ("OCR for handwritten receipts",)),
    Question("microservice extraction", ("Split the monolith's billing module",)),
    Question("special characters displayed incorrectly", ("Unicode names are garbled in PDFs",)),
    Question("autocomplete", ("Search suggestions while typing",)),
    Question("MFA", ("Two-factor authentication",)),
    Question("monitoring of the backlog of jobs", ("Alert when the queue grows",)),
    Question("distributed tracing", ("Trace requests across services",)),
    Question("CI pipeline migration", ("Migrate the build from Jenkins to GitHub Actions",)),
    Question("getting started documentation for newcomers", ("Onboarding guide for new developers",)),
    Question("cleaning up old toggles", ("Remove unused feature flags",)),
    Question("recordsDeduplication", ("Merge customers that exist twice", "Duplicate rows after an interrupted import")),
    Question("authentication with a corporate account", ("Support single sign-on with SAML",)),
    Question("semantic retrieval", ("Spike: vector search for the help centre",)),
)

NOTHING = (
    "purple elephant banana",
    "xqzzt vvrkl",
    "recipe for chocolate cake",
    "asdfghjkl",
    "dinosaur football stadium",
    "volcano eruption in Iceland",
    "qwertyuiop zxcvbnm",
    "medieval castle siege",
    "knitting pattern for socks",
    "orchestra violin concerto",
    "!!!???",
    "giraffe",
)

_VERBS = ("Extend", "Review", "Measure", "Document", "Replace", "Speed up", "Unify", "Clean up", "Redesign", "Prepare")
_THINGS = (
    "remittance matcher",
    "ledger reconciliation",
    "shipping label printer",
    "warehouse stock count",
    "supplier contract form",
    "loyalty points screen",
    "newsletter editor",
    "calendar import",
    "chat widget",
    "barcode scanner",
    "franchise map",
    "delivery slot planner",
    "product photo cropper",
    "return label generator",
    "gift card balance",
    "employee roster",
)
_PLACES = ("in the back office", "for partners", "on tablets", "for the Nordic shops", "in the sandbox", "for the pilot store")
_NOTES = (
    "Agreed with the product team; estimate before the next planning.",
    "Depends on the new interface of the supplier, which is due in spring.",
    "The present version was written in a hurry and nobody dares to touch it.",
    "Ask operations first, they have a workaround.",
    "See the notes of the last retrospective.",
    "Small, but it has been asked for again and again.",
)


def fillers(count: int, seed: int = 1) -> list[Item]:
    """`count` further items, about other things than `ITEMS`."""
    rnd = random.Random(seed)
    return [
        Item(
            f"{rnd.choice(_VERBS)} the {rnd.choice(_THINGS)} {rnd.choice(_PLACES)}",
            " ".join(rnd.sample(_NOTES, 2)) + f" Ticket {number}.",
        )
        for number in range(count)
    ]

"""``python -m server.protocol`` writes the schema and the TypeScript types below ``docs``."""

from pathlib import Path

from server.protocol.schema import schema_text
from server.protocol.typescript import typescript

DOCS = Path(__file__).parents[2] / "docs"

if __name__ == "__main__":
    (DOCS / "protocol.schema.json").write_text(schema_text())
    (DOCS / "protocol.ts").write_text(typescript())

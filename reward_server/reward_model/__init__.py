"""The reward model: asked by text, answered by a score. `local` runs it here, `remote` asks a server that has it."""

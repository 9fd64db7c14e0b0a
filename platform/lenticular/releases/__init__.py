"""What astronomers take home: immutable consensus catalogues."""

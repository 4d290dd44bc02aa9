"""What alembic runs to change the tables: on the connection that the console hands in."""

from alembic import context

from pipeline.console.database import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot change a table in place
)
with context.begin_transaction():
    context.run_migrations()

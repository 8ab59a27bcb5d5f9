"""Quality on real tables: what `modnet new-spec` suggests, beside the usual learners for tables."""

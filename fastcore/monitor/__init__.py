"""What `fastcore.metrics` counts, made visible and judged: health, degradation, alerts, triggers, exporters."""

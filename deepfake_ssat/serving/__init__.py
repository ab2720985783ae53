"""The local service: a page to drop a video on, and a REST API over one queue of jobs."""

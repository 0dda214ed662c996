//! Operations, histories, their recorder, file formats and the store of past runs.

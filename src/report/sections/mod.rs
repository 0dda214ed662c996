//! The sections of a report, a file each: every file here is one, and registers itself.

automod::dir!("src/report/sections");

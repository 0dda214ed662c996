//! Sections of a report, one file each; each registers itself.

automod::dir!("src/report/sections");

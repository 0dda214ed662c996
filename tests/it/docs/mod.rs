//! Tests of README, docs/ and the other pages: their console blocks are run, their commands parsed, their links
//! followed.
//!
//! - A block fenced as `console` is run in a temporary folder of its page. Lines that begin with `$ ` are given to a
//!   shell, with this schism on its path; the lines below are its output. Only words are compared, so output may be
//!   wrapped; a line `...` stands for any output; a line `[exit code 1]` below it is the exit code, if it is not 0.
//! - A block behind `<!-- file: NAME -->` is written to that file first.
//! - A block behind `<!-- excerpt of a real run -->` is not run. Blocks fenced as `text` must have this mark.
//! - The tutorial is followed word for word: its blocks fenced as `sh` are run too, and its excerpts must have the
//!   shape of what was printed.
//! - Of blocks fenced as `sh`, and of excerpts, the arguments of schism must be valid.

mod commands;
mod console;
mod pages;
mod rules;
mod tutorial;

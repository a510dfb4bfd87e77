//! The binary: an allocator, a short way for `--version`, and the command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Memory that is free for a second goes back to the system, so that a server is small again after a burst. Read by
/// jemalloc at start.
#[expect(unsafe_code, reason = "jemalloc reads its settings from a symbol of this name; there is no other such symbol")]
#[expect(non_upper_case_globals, reason = "the name is jemalloc's")]
#[unsafe(export_name = "malloc_conf")]
pub static malloc_conf: &[u8; 85] =
    b"background_thread:true,max_background_threads:1,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

fn main() -> ExitCode {
    tidegate_cli::main()
}

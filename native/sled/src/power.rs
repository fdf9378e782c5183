// What sled leaves to chance on a disk that loses its power.

use crate::failure::Result;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

/// sled takes the last name that begins with `snap.` for its snapshot, also that of one which it had only begun when it was
/// killed, and then does not open.
const BEGUN: &str = ".generating";

/// Removes from the folder of sled what it began and did not end; before sled opens it.
pub fn remove_begun(path: &Path) -> Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(BEGUN) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes durable what sled writes once, when it makes its folder, and asks no disk to keep.
pub fn sync_made(path: &Path) -> Result<()> {
    Ok(File::open(path.join("conf"))?.sync_all()?)
}

/// Stands in for sync_file_range(2), by the linker (build.rs), which sled takes for a promise of the disk: it reuses a segment of
/// its log once the pages that replace its own went through it. That call only starts the writes: it waits for no disk's cache,
/// and writes no metadata.
#[unsafe(no_mangle)]
extern "C" fn __wrap_sync_file_range(descriptor: i32, _offset: i64, _length: i64, _flags: u32) -> i32 {
    // SAFETY: a call of the system without pointers.
    unsafe { libc::fdatasync(descriptor) }
}

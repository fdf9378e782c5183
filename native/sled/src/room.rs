// Room on the disk: reserved behind a file's end before a batch is written, so that nobody meets a full disk in the middle.

use crate::failure::Result;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Reserves space behind a place in a file, which keeps its length. A file system that cannot reserve will say so when it is full.
pub fn reserve(file: &File, from: u64, bytes: u64) -> Result<()> {
    allocate(file, libc::FALLOC_FL_KEEP_SIZE, from, bytes)
}

/// Gives the space of some bytes back, which read as zeros from then on. A file system that cannot keeps it.
pub fn give_back(file: &File, from: u64, bytes: u64) -> Result<()> {
    allocate(file, libc::FALLOC_FL_KEEP_SIZE | libc::FALLOC_FL_PUNCH_HOLE, from, bytes)
}

fn allocate(file: &File, mode: libc::c_int, from: u64, bytes: u64) -> Result<()> {
    // SAFETY: plain numbers, and a descriptor that lives as long as the file.
    let done = unsafe { libc::fallocate(file.as_raw_fd(), mode, from as libc::off_t, bytes as libc::off_t) };
    let error = io::Error::last_os_error();
    if done == 0 || matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINTR)) {
        return Ok(());
    }
    Err(error.into())
}

/// What the disk that holds a file has left.
pub fn left(file: &File) -> Result<u64> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut disk: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a descriptor that lives as long as the file, and a place that is written during the call alone.
    if unsafe { libc::fstatvfs(file.as_raw_fd(), &raw mut disk) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(disk.f_bavail * disk.f_frsize)
}

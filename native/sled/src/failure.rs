// What can go wrong, as a kind that src/store/store.ts lists and the words of whoever noticed.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Busy,
    Full,
    Corrupt,
    Locked,
    Closed,
    Io,
    Format,
    /// The caller's mistake: a TypeError in JavaScript.
    Misuse,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Busy => "busy",
            Kind::Full => "full",
            Kind::Corrupt => "corrupt",
            Kind::Locked => "locked",
            Kind::Closed => "closed",
            Kind::Io => "io",
            Kind::Format => "format",
            Kind::Misuse => "misuse",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn closed() -> Self {
        Self::new(Kind::Closed, "the database is closed")
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => Kind::Full,
            _ => Kind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<sled::Error> for Failure {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            sled::Error::Corruption { .. } => Self::new(Kind::Corrupt, error.to_string()),
            sled::Error::Unsupported(_) => Self::new(Kind::Format, error.to_string()),
            _ => Self::new(Kind::Io, error.to_string()),
        }
    }
}

/// Runs a call of sled, which panics where a page is not what its log says.
pub fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(failure_of_panic(&*panic)))
}

fn failure_of_panic(panic: &(dyn Any + Send)) -> Failure {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic");
    Failure::new(Kind::Corrupt, words)
}

// What can go wrong, as a kind that a caller can act on, and the words of whoever noticed.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tantivy::TantivyError;
use tantivy::directory::error::{OpenReadError, OpenWriteError};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Busy,
    Full,
    Corrupt,
    Locked,
    Closed,
    Io,
    Format,
    /// A plan beyond what is answered.
    Limit,
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
            Kind::Limit => "limit",
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
        Self::new(Kind::Closed, "the index is closed")
    }

    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    pub fn misuse(message: impl Into<String>) -> Self {
        Self::new(Kind::Misuse, message)
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        let kind = match error.kind() {
            _ if is_full(error) => Kind::Full,
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Kind::Corrupt,
            _ => Kind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

/// Whether it says that there is no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<OpenReadError> for Failure {
    fn from(error: OpenReadError) -> Self {
        match &error {
            OpenReadError::IoError { io_error, .. } => Self::from(&**io_error),
            _ => Self::corrupt(error.to_string()),
        }
    }
}

impl From<TantivyError> for Failure {
    fn from(error: TantivyError) -> Self {
        match error {
            TantivyError::IoError(error) => Self::from(&*error),
            TantivyError::OpenReadError(error) => error.into(),
            TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. }) => Self::from(&*io_error),
            TantivyError::DataCorruption(_)
            | TantivyError::IncompatibleIndex(_)
            | TantivyError::SchemaError(_)
            | TantivyError::FieldNotFound(_) => Self::corrupt(error.to_string()),
            _ => Self::new(Kind::Io, error.to_string()),
        }
    }
}

/// Runs a call of tantivy, which panics where a file is not what it wrote.
pub fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(failure_of_panic(&*panic)))
}

fn failure_of_panic(panic: &(dyn Any + Send)) -> Failure {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic");
    Failure::corrupt(words)
}

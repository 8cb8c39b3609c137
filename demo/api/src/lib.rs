//! The application that the labs deploy: an API that keeps entries in Postgres, and a load generator
//! that measures it. `demo/README.md` is its contract.

mod duration;
mod get;
pub mod load;
pub mod server;
mod signals;

pub use duration::seconds;
pub use get::get;
pub use signals::terminated;

/// The causes of an error, outermost first, as one line. A cause that the text before it already
/// ends with is not repeated.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

//! What a part of the program is that the browser loads when it is first needed. Knows no part.
//!
//! One may fail to come: the console was upgraded under the open page and knows the part of its
//! new version only, or nobody answers. Then the page says so; nothing else on it is lost.

use leptos::wasm_split::SplitLoaderError;

/// A part that could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;

impl From<SplitLoaderError> for Missing {
    fn from(_: SplitLoaderError) -> Self {
        Self
    }
}

/// A function of the part that is named first: a part becomes a file of its own, loaded when one of
/// its functions is first called. On the server it is there already. Each part more also makes files
/// of what it shares with the others, so there are few.
macro_rules! part {
    ($(#[$doc:meta])* $part:ident: $visible:vis fn $name:ident / $preload:ident ($($given:ident: $type:ty),*) $body:block) => {
        $(#[$doc])*
        #[cfg(feature = "hydrate")]
        #[leptos::wasm_split::wasm_split(
            $part,
            wasm_split_path = ::leptos::wasm_split,
            preload($preload),
            fallible
        )]
        $visible fn $name($($given: $type),*) -> Result<AnyView, $crate::part::Missing> {
            Ok($body)
        }

        $(#[$doc])*
        #[cfg(not(feature = "hydrate"))]
        #[allow(clippy::unused_async)]
        $visible async fn $name($($given: $type),*) -> Result<AnyView, $crate::part::Missing> {
            Ok($body)
        }
    };
}

pub(crate) use part;

//! Which connectors there are: those of every program, and those that a program adds.

use std::fmt;
use std::sync::{Arc, LazyLock};

use dualgauge_engine::flow::SourceOptions;
use dualgauge_engine::{Error, Result, Sink, Source};

use super::built_in::{Csv, Json, Log, Parquet};
use super::{Binding, shared};
use crate::suggest::did_you_mean;

/// What a binding names by its scheme: `mine:PATH?option=value`.
///
/// A program adds one to its command line by `dualgauge::cli::new(graph).connector(Mine)`. The options that the engine
/// takes of every source (`disorder`, `idle_after`, `bad`, …) are not its concern; an option that it does not ask for
/// is refused, with a list of those that it does.
///
/// ```
/// use dualgauge_connectors::binding::{Binding, Connector, Registry};
/// use dualgauge_connectors::memory;
/// use dualgauge_engine::{Result, Source};
/// # use dualgauge_engine::testing::Item;
/// # fn counted(name: &str, count: usize) -> Vec<Item> {
/// #     vec![Item { time: Default::default(), key: name.to_string(), value: 1 }; count]
/// # }
///
/// /// Rows that are made: `made:KEY?count=10`.
/// struct Made;
///
/// impl Connector for Made {
///     fn scheme(&self) -> &str {
///         "made"
///     }
///
///     fn source(&self, binding: &mut Binding) -> Result<Box<dyn Source>> {
///         let count = binding.take("count", "a whole number")?.unwrap_or(1);
///         Ok(Box::new(memory::rows(counted(binding.path(), count))))
///     }
/// }
///
/// let registry = Registry::new().with(Made);
/// assert!(registry.source("made:a?count=3").is_ok());
/// let error = registry.source("made:a?cuont=3").err().unwrap();
/// assert!(error.to_string().contains("unknown option `cuont` (did you mean `count`?)"), "{error}");
/// let error = registry.sink("made:a").err().unwrap();
/// assert!(error.to_string().contains("made is no sink"), "{error}");
/// ```
pub trait Connector: Send + Sync {
    /// What stands before the colon.
    fn scheme(&self) -> &str;

    /// What help says: an example of a binding, and what it is. Empty by default.
    fn help(&self) -> (&str, &str) {
        ("", "")
    }

    /// Whether the path `-` is standard input, which only one process can read.
    fn standard_input(&self) -> bool {
        false
    }

    /// The source that a binding describes.
    ///
    /// # Errors
    /// Of kind `Usage`: what is wrong with the binding. By default that there are no such sources.
    fn source(&self, _binding: &mut Binding) -> Result<Box<dyn Source>> {
        Err(Error::usage(format!("{} is no source", self.scheme())))
    }

    /// The sink that a binding describes.
    ///
    /// # Errors
    /// Of kind `Usage`: what is wrong with the binding. By default that there are no such sinks.
    fn sink(&self, _binding: &mut Binding) -> Result<Box<dyn Sink>> {
        Err(Error::usage(format!("{} is no sink", self.scheme())))
    }

    /// The source made of a history and the live part of this connector that follows it, if they know by themselves
    /// where the one ends and the other begins. `None` if they do not: then a person gives the seam. `scheme` is the
    /// history's.
    ///
    /// # Errors
    /// What is wrong with one of the bindings, or a history that does not fit.
    fn behind(&self, _scheme: &str, _history: &mut Binding, _live: &mut Binding) -> Result<Option<Box<dyn Source>>> {
        Ok(None)
    }
}

/// The connectors that bindings may name.
#[derive(Clone)]
pub struct Registry {
    connectors: Vec<Arc<dyn Connector>>,
}

static BUILT_IN: LazyLock<Registry> =
    LazyLock::new(|| Registry { connectors: vec![Arc::new(Parquet), Arc::new(Log), Arc::new(Csv), Arc::new(Json)] });

impl Default for Registry {
    fn default() -> Registry {
        Registry::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.schemes()).finish()
    }
}

impl Registry {
    /// The connectors that every program has: `parquet`, `log`, `csv`, `json`.
    pub fn new() -> Registry {
        BUILT_IN.clone()
    }

    pub(super) fn built_in() -> &'static Registry {
        &BUILT_IN
    }

    /// These and one more.
    ///
    /// # Panics
    /// When another connector has its scheme already, or when its scheme is not a letter followed by letters, digits,
    /// `+`, `-` and `.`.
    pub fn with(mut self, connector: impl Connector + 'static) -> Registry {
        let scheme = connector.scheme();
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(rest);
        assert!(is_scheme, "`{scheme}` is no scheme: a letter, and then letters, digits, `+`, `-` and `.`");
        assert!(!self.has(scheme), "there is a connector `{scheme}` already");
        self.connectors.push(Arc::new(connector));
        self
    }

    /// The source that a binding names.
    ///
    /// # Errors
    /// Of kind `Usage`: an unknown scheme or option, or a value that is not what the option takes.
    pub fn source(&self, text: &str) -> Result<Box<dyn Source>> {
        let (connector, mut binding) = self.parse(text)?;
        let bound = connector.source(&mut binding);
        let bound = bound.and_then(|made| shared(&mut binding).and_then(|_| binding.finish()).map(|()| made));
        bound.map_err(|error| error.at(format!("`{text}`")))
    }

    /// The options in a binding of a source that override what the graph says of it.
    ///
    /// # Errors
    /// As for [`Registry::source`].
    pub fn source_options(&self, text: &str) -> Result<SourceOptions> {
        let (_, mut binding) = self.parse(text)?;
        shared(&mut binding).map_err(|error| error.at(format!("`{text}`")))
    }

    /// The sink that a binding names.
    ///
    /// # Errors
    /// As for [`Registry::source`].
    pub fn sink(&self, text: &str) -> Result<Box<dyn Sink>> {
        let (connector, mut binding) = self.parse(text)?;
        let bound = connector.sink(&mut binding).and_then(|made| binding.finish().map(|()| made));
        bound.map_err(|error| error.at(format!("`{text}`")))
    }

    /// The bindings in a list with commas between them: a comma separates where a known scheme and a colon follow it.
    pub fn parts<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let begins = |rest: &str| rest.split_once(':').is_some_and(|(scheme, _)| self.has(scheme));
        let (mut parts, mut start) = (Vec::new(), 0);
        for (comma, _) in text.match_indices(',').filter(|(comma, _)| begins(&text[comma + 1..])) {
            parts.push(&text[start..comma]);
            start = comma + 1;
        }
        parts.push(&text[start..]);
        parts
    }

    /// Whether what the binding reads is standard input.
    pub fn reads_standard_input(&self, text: &str) -> bool {
        self.parse(text).is_ok_and(|(connector, binding)| connector.standard_input() && binding.path() == "-")
    }

    /// An example of a binding of each connector, and what it is.
    pub fn help(&self) -> impl Iterator<Item = (&str, &str)> {
        self.connectors.iter().map(|connector| connector.help()).filter(|(example, _)| !example.is_empty())
    }

    fn has(&self, scheme: &str) -> bool {
        self.schemes().any(|known| known == scheme)
    }

    pub(super) fn schemes(&self) -> impl Iterator<Item = &str> {
        self.connectors.iter().map(|connector| connector.scheme())
    }

    /// The connector that a binding names, and the rest of the binding, for it to read.
    pub(super) fn parse(&self, text: &str) -> Result<(&dyn Connector, Binding)> {
        let expected = || self.schemes().map(|scheme| format!("{scheme}:PATH")).collect::<Vec<_>>().join(", ");
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Error::usage(format!("`{text}` names no connector; expected one of {}", expected())));
        };
        let Some(connector) = self.connectors.iter().find(|connector| connector.scheme() == scheme) else {
            let hint = did_you_mean(scheme, self.schemes());
            let message = format!("`{text}`: unknown connector `{scheme}`{hint}; expected one of {}", expected());
            return Err(Error::usage(message));
        };
        let binding = Binding::parse(rest).map_err(|error| error.at(format!("`{text}`")))?;
        Ok((connector.as_ref(), binding))
    }
}

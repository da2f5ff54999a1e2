//! Reads a crate's sources: its modules, and what each names outside of its tests.
//!
//! Sources are read as tokens: comments mislead nobody, and the inside of macros counts as well.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Path of a crate's root.
pub(crate) const ROOT: &str = "crate";

/// A crate's modules by path: [`ROOT`], and `training::plan` below it. Tests are left out.
pub(crate) struct Crate {
    /// Modules by path.
    pub(crate) modules: BTreeMap<String, Module>,
    /// Files that belong to no module, with their text.
    pub(crate) strays: BTreeMap<PathBuf, String>,
}

/// One module.
#[derive(Default)]
pub(crate) struct Module {
    /// Its file, below `src`.
    pub(crate) file: PathBuf,
    /// The module that the file stands for.
    home: String,
    /// Texts in quotes.
    pub(crate) texts: Vec<Text>,
    /// Paths it names, as written, with their lines; plain names, too.
    paths: BTreeSet<(usize, Vec<String>)>,
    /// Names that `use` brings in, with their paths.
    names: BTreeMap<String, Vec<String>>,
    /// Those of them that are handed on (`pub use`).
    exports: BTreeSet<String>,
}

/// A text in quotes.
pub(crate) struct Text {
    /// What stands between the quotes.
    pub(crate) text: String,
    /// The function it is passed to, or the field it is given to; empty if neither.
    pub(crate) receiver: String,
    /// Line in the file.
    pub(crate) line: usize,
}

/// One module uses another.
pub(crate) struct Arrow {
    /// Path of the module that uses.
    pub(crate) from: String,
    /// Path of the module that is used.
    pub(crate) to: String,
    /// File, line, and the path written there.
    pub(crate) place: String,
}

/// Words that begin what has a name at the top of a file.
const ITEMS: &[&str] = &[
    "const",
    "enum",
    "fn",
    "impl",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "use",
];

impl Crate {
    /// Reads the crate that has `files`, by path below its `src`.
    pub(crate) fn of(files: BTreeMap<PathBuf, String>) -> Self {
        let mut read = Self { modules: BTreeMap::new(), strays: files };
        let root = ["lib.rs", "main.rs"].map(PathBuf::from);
        let root = root.into_iter().find(|file| read.strays.contains_key(file)).expect("a root");
        read.file(root, &Place { module: ROOT, folder: Path::new(""), receiver: "" });
        // The program beside a library only starts it.
        read.strays.remove(Path::new("main.rs"));
        read
    }

    /// The arrows between modules that files stand for. A module that only hands on what another has
    /// (`pub use`) does not use it; who takes it from there uses the module that has it.
    pub(crate) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = BTreeMap::new();
        for (from, module) in &self.modules {
            for (line, path) in &module.paths {
                let is_own = path.len() == 1 && !module.exports.contains(&path[0]);
                let Some(to) = self.resolve(from, path).filter(|_| !is_own) else { continue };
                let ends = (module.home.clone(), self.modules[&to].home.clone());
                if ends.0 != ends.1 {
                    let place = format!("{}:{line} `{}`", module.file.display(), path.join("::"));
                    arrows.entry(ends).or_insert(place);
                }
            }
        }
        arrows.into_iter().map(|((from, to), place)| Arrow { from, to, place }).collect()
    }

    /// The module that has what `path` names in module `from`; `None` outside of the crate.
    fn resolve(&self, from: &str, path: &[String]) -> Option<String> {
        let (first, rest) = path.split_first()?;
        let below = child(from, first);
        match first.as_str() {
            ROOT => self.descend(ROOT, rest),
            "self" => self.descend(from, rest),
            "super" => self.descend(parent(from)?, rest),
            _ if self.modules.contains_key(&below) => self.descend(&below, rest),
            name => match self.modules[from].names.get(name)?.as_slice() {
                known if known[0] != name => self.resolve(from, &[known, rest].concat()),
                // A macro is handed on under its own name; anything longer is another crate's.
                known => (known.len() == 1).then(|| from.to_owned()),
            },
        }
    }

    /// The module that has what `path` names in `module`, whose own it may be.
    fn descend(&self, module: &str, path: &[String]) -> Option<String> {
        let Some((first, rest)) = path.split_first() else { return Some(module.to_owned()) };
        let below = child(module, first);
        if first == "super" {
            self.descend(parent(module)?, rest)
        } else if self.modules.contains_key(&below) {
            self.descend(&below, rest)
        } else if self.modules[module].names.contains_key(first) {
            self.resolve(module, path)
        } else {
            Some(module.to_owned())
        }
    }
}

fn parent(module: &str) -> Option<&str> {
    (module != ROOT).then(|| module.rsplit_once("::").map_or(ROOT, |(parent, _)| parent))
}

fn child(module: &str, name: &str) -> String {
    if module == ROOT { name.to_owned() } else { format!("{module}::{name}") }
}

/// Where tokens stand.
struct Place<'a> {
    /// The module.
    module: &'a str,
    /// The folder with its children's files.
    folder: &'a Path,
    /// The function whose arguments they are.
    receiver: &'a str,
}

/// Reading.
impl Crate {
    /// Reads the file of the module in `place`.
    fn file(&mut self, file: PathBuf, place: &Place<'_>) {
        let source = self.strays.remove(&file).expect("the module has a file of its own");
        let home = place.module.to_owned();
        self.module(file, home, source.parse().expect("the file is Rust"), place);
    }

    fn module(&mut self, file: PathBuf, home: String, tokens: TokenStream, place: &Place<'_>) {
        let module = Module { file, home, ..Module::default() };
        self.modules.insert(place.module.to_owned(), module);
        self.tokens(tokens, place);
    }

    fn tokens(&mut self, stream: TokenStream, place: &Place<'_>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let (before, rest) = tokens.split_at(at);
            at += match rest {
                [mark, TokenTree::Group(attribute), item @ ..] if is(mark, '#') => {
                    let tests = attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                    2 + if tests { self.skip(item, place) } else { 0 }
                }
                [mark, exclamation, TokenTree::Group(_), ..]
                    if is(mark, '#') && is(exclamation, '!') =>
                {
                    3
                }
                // Not the `use<..>` of a type.
                [TokenTree::Ident(word), next, ..] if word == "use" && !is(next, '<') => {
                    self.imports(before, rest, place)
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), body, ..] if word == "mod" => {
                    self.child(&name.to_string(), body, place);
                    3
                }
                [TokenTree::Ident(_), ..] => self.path(before, rest, place),
                [TokenTree::Group(group), ..] => {
                    let receiver = match (group.delimiter(), before) {
                        (Delimiter::Parenthesis, [.., TokenTree::Ident(name)]) => name.to_string(),
                        _ => String::new(),
                    };
                    self.tokens(group.stream(), &Place { receiver: &receiver, ..*place });
                    1
                }
                [literal, ..] => {
                    self.text(before, literal, place);
                    1
                }
                [] => unreachable!("there is a token at `at`"),
            };
        }
    }

    /// The length of an item of tests. Files that belong to it are no strays.
    fn skip(&mut self, item: &[TokenTree], place: &Place<'_>) -> usize {
        let is_body = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            token => is(token, ';'),
        };
        // A field ends with a comma or with what holds it.
        let is_item = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if ITEMS.contains(&&*word.to_string()));
        let field = !item.iter().take_while(|token| !is_body(token)).any(is_item);
        let ends = |token: &TokenTree| is_body(token) || (field && is(token, ','));
        let end = item.iter().position(ends).unwrap_or(item.len() - 1);
        if let [.., TokenTree::Ident(word), TokenTree::Ident(name)] = &item[..end]
            && word == "mod"
        {
            let folder = place.folder.join(name.to_string());
            let file = folder.with_extension("rs");
            self.strays.retain(|stray, _| *stray != file && !stray.starts_with(&folder));
        }
        end + 1
    }

    fn child(&mut self, name: &str, body: &TokenTree, place: &Place<'_>) {
        let (module, folder) = (child(place.module, name), place.folder.join(name));
        let own = Place { module: &module, folder: &folder, receiver: "" };
        match body {
            TokenTree::Group(body) => {
                let Module { file, home, .. } = self.here(place);
                let (file, home) = (file.clone(), home.clone());
                self.module(file, home, body.stream(), &own);
            }
            _ => {
                let files = [folder.with_extension("rs"), folder.join("mod.rs")];
                let file = files.into_iter().find(|file| self.strays.contains_key(file));
                self.file(file.expect("the module has a file"), &own);
            }
        }
    }

    fn here(&mut self, place: &Place<'_>) -> &mut Module {
        self.modules.get_mut(place.module).expect("the module is being read")
    }

    /// Notes a `use` and gives its length.
    fn imports(&mut self, before: &[TokenTree], rest: &[TokenTree], place: &Place<'_>) -> usize {
        let length = rest.iter().position(|token| is(token, ';')).expect("`use` ends");
        let line = rest[0].span().start().line;
        let exported = match before {
            [.., TokenTree::Ident(word)] => word == "pub",
            [.., TokenTree::Ident(word), TokenTree::Group(_)] => word == "pub",
            _ => false,
        };
        let mut found = Vec::new();
        imported(&rest[1..length], Vec::new(), &mut found);
        let module = self.here(place);
        for (name, path) in found {
            if exported {
                module.exports.insert(name.clone());
            } else {
                module.paths.insert((line, path.clone()));
            }
            module.names.insert(name, path);
        }
        length
    }

    /// Notes a path or a plain name and gives its length.
    fn path(&mut self, before: &[TokenTree], rest: &[TokenTree], place: &Place<'_>) -> usize {
        let mut path = vec![rest[0].to_string()];
        let mut length = 1;
        while let [colon, other, TokenTree::Ident(name), ..] = &rest[length..]
            && is_joint(colon, ':')
            && is(other, ':')
        {
            path.push(name.to_string());
            length += 3;
        }
        let goes_on = before.last().is_some_and(|token| is(token, '.'))
            || matches!(before, [.., colon, other] if is_joint(colon, ':') && is(other, ':'));
        let is_field =
            rest.get(length).is_some_and(|token| is(token, ':') && !is_joint(token, ':'));
        if !goes_on && (!is_field || length > 1) {
            let line = rest[0].span().start().line;
            self.here(place).paths.insert((line, path));
        }
        length
    }

    /// Notes a text in quotes.
    fn text(&mut self, before: &[TokenTree], token: &TokenTree, place: &Place<'_>) {
        let written = token.to_string();
        let text = written.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let (TokenTree::Literal(_), Some(text)) = (token, text) else { return };
        let receiver = match before {
            [.., TokenTree::Ident(field), colon] if is(colon, ':') => field.to_string(),
            _ => place.receiver.to_owned(),
        };
        let line = token.span().start().line;
        self.here(place).texts.push(Text { text: text.to_owned(), receiver, line });
    }
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_joint(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct)
        if punct.as_char() == mark && punct.spacing() == Spacing::Joint)
}

/// The names that what follows `use` brings in, and their paths.
fn imported(tree: &[TokenTree], mut path: Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    for (at, token) in tree.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                return found.push((tree[at + 1].to_string(), path));
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = inner.split(|token| is(token, ','));
                let named = parts.filter(|part| !part.is_empty());
                return named.for_each(|part| imported(part, path.clone(), found));
            }
            TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
            token if is(token, ':') => {}
            token => path.push(token.to_string()),
        }
    }
    if let Some(name) = path.last() {
        found.push((name.clone(), path));
    }
}

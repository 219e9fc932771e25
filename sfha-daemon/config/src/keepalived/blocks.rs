//! The shape of a `keepalived.conf`: words, and blocks in braces.

/// Deepest nesting that is read; keepalived's own is four.
const DEEPEST: usize = 16;

/// Keywords whose arguments are secrets.
const SECRET: &[&str] = &["auth_pass", "password", "smtp_password"];

/// Most characters of a statement that are shown.
const SHOWN: usize = 80;

/// Words, and the block behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// At least one, quotes taken off.
    pub words: Vec<String>,
    /// What stands in its braces.
    pub body: Vec<Statement>,
}

impl Statement {
    /// The first word.
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The second one.
    pub fn argument(&self) -> &str {
        self.words.get(1).map_or("", String::as_str)
    }

    /// For people: without secrets, and not too long.
    pub fn shown(&self) -> String {
        let words = if SECRET.contains(&self.keyword()) { &self.words[..1] } else { &self.words[..] };
        words.join(" ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
    }
}

/// Reads all of it. What does not read (a brace too many or too few) is taken as it comes: keepalived does, too.
pub fn statements(text: &str) -> Vec<Statement> {
    let mut open: Vec<Statement> = Vec::new();
    let mut top = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut words = Vec::new();
        for token in tokens(line) {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open if open.len() < DEEPEST => {
                    let words = std::mem::take(&mut words);
                    open.push(Statement { line: number + 1, words, body: Vec::new() });
                }
                Token::Open => {}
                Token::Close => {
                    end(&mut words, number, &mut open, &mut top);
                    if let Some(block) = open.pop() {
                        add(block, &mut open, &mut top);
                    }
                }
            }
        }
        end(&mut words, number, &mut open, &mut top);
    }
    while let Some(block) = open.pop() {
        add(block, &mut open, &mut top);
    }
    top
}

fn end(words: &mut Vec<String>, number: usize, open: &mut [Statement], top: &mut Vec<Statement>) {
    if !words.is_empty() {
        let words = std::mem::take(words);
        add(Statement { line: number + 1, words, body: Vec::new() }, open, top);
    }
}

fn add(statement: Statement, open: &mut [Statement], top: &mut Vec<Statement>) {
    match open.last_mut() {
        Some(block) => block.body.push(statement),
        None => top.push(statement),
    }
}

enum Token {
    Word(String),
    Open,
    Close,
}

/// The words and braces of a line, up to its comment.
fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = line.chars();
    let flush = |word: &mut String, tokens: &mut Vec<Token>| {
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '#' | '!' if word.is_empty() => break,
            '"' => word.extend(chars.by_ref().take_while(|c| *c != '"')),
            '{' | '}' => {
                flush(&mut word, &mut tokens);
                tokens.push(if c == '{' { Token::Open } else { Token::Close });
            }
            c if c.is_whitespace() => flush(&mut word, &mut tokens),
            c => word.push(c),
        }
    }
    flush(&mut word, &mut tokens);
    tokens
}

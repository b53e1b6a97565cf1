//! A page of HTML piece by piece: whatever is not markup of ours goes through [`text`].
//!
//! Its policy lets nothing run but the three scripts that it names by their hashes, and lets nothing be fetched at all; so
//! what a wallet or a rule says could not run even if an escape were forgotten.

use crate::replay::{rejects::base64, table::Table};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const D3: &str = include_str!("assets/d3.min.js");
const PLOT: &str = include_str!("assets/plot.min.js");
const SCRIPT: &str = include_str!("assets/report.js");
const STYLE: &str = include_str!("assets/report.css");

/// A page while it is written.
#[derive(Debug, Default)]
pub struct Page {
    body: String,
    /// Titles of the sections, in their order.
    sections: Vec<&'static str>,
    open: bool,
}

impl Page {
    /// Begins a section, which the contents name.
    pub fn section(&mut self, title: &'static str) {
        self.close();
        let id = anchor(title);
        let _ = write!(self.body, "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">");
        self.text(title);
        self.body.push_str("</h2>\n");
        self.sections.push(title);
        self.open = true;
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.body.push_str("</section>\n");
        }
    }

    pub fn heading(&mut self, title: &str) {
        self.element("h3", "", title);
    }

    pub fn paragraph(&mut self, words: &str) {
        self.element("p", "", words);
    }

    /// A paragraph that stands back.
    pub fn note(&mut self, words: &str) {
        self.element("p", " class=\"note\"", words);
    }

    fn element(&mut self, name: &str, attributes: &str, words: &str) {
        let _ = write!(self.body, "<{name}{attributes}>");
        self.text(words);
        let _ = writeln!(self.body, "</{name}>");
    }

    fn text(&mut self, words: &str) {
        text(words, &mut self.body);
    }

    /// Figures to be read at a glance, each under its name.
    pub fn tiles(&mut self, tiles: &[(&str, String)]) {
        self.body.push_str("<dl class=\"tiles\">\n");
        for (name, figure) in tiles {
            self.body.push_str("<div>");
            self.element("dt", "", name);
            self.element("dd", "", figure);
            self.body.push_str("</div>\n");
        }
        self.body.push_str("</dl>\n");
    }

    /// Room for a chart that the script knows by `name`; `part` is which of several. `words` say what it shows.
    pub fn chart(&mut self, name: &str, part: usize, words: &str) {
        let _ = write!(self.body, "<figure data-chart=\"{name}\" data-part=\"{part}\"><figcaption>");
        self.text(words);
        self.body.push_str("</figcaption><div class=\"plot\"></div></figure>\n");
    }

    /// A table that is there at once.
    pub fn table(&mut self, caption: &str, table: &Table) {
        self.body.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
        self.text(caption);
        self.body.push_str("\"><table><caption>");
        self.text(caption);
        self.body.push_str("</caption>\n");
        for (place, row) in table.rows().iter().enumerate() {
            let (opening, cell) = if place == 0 { ("<thead><tr>", "th") } else { ("<tr>", "td") };
            self.body.push_str(opening);
            for (column, words) in row.iter().enumerate() {
                let kind = match (place, column < table.names()) {
                    (0, true) => " scope=\"col\"",
                    (0, false) => " scope=\"col\" class=\"n\"",
                    (_, true) => "",
                    (_, false) => " class=\"n\"",
                };
                let _ = write!(self.body, "<{cell}{kind}>");
                self.text(words);
                let _ = write!(self.body, "</{cell}>");
            }
            self.body.push_str(if place == 0 { "</tr></thead>\n<tbody>\n" } else { "</tr>\n" });
        }
        self.body.push_str("</tbody></table></div>\n");
    }

    /// A table behind a chart, for whoever cannot see that or wants its figures.
    pub fn table_behind(&mut self, caption: &str, table: &Table) {
        self.body.push_str("<details><summary>Table: ");
        self.text(caption);
        self.body.push_str("</summary>\n");
        self.table(caption, table);
        self.body.push_str("</details>\n");
    }

    /// A text as it was written, which opens when it is asked for.
    pub fn verbatim(&mut self, title: &str, words: &str) {
        self.body.push_str("<details class=\"source\"><summary>");
        self.text(title);
        self.body.push_str("</summary>\n<pre tabindex=\"0\">");
        self.text(words);
        self.body.push_str("</pre></details>\n");
    }

    /// The whole file. `data` is what the charts show.
    #[must_use]
    pub fn finish(mut self, title: &str, data: &Value) -> String {
        self.close();
        let mut out = String::with_capacity(self.body.len() + D3.len() + PLOT.len() + SCRIPT.len() + (64 << 10));
        out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        let _ = writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", policy());
        out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
        text(title, &mut out);
        let _ = write!(out, "</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header><h1>");
        text(title, &mut out);
        out.push_str("</h1>\n<nav aria-label=\"Contents\"><ul>\n");
        for section in &self.sections {
            let _ = write!(out, "<li><a href=\"#{}\">", anchor(section));
            text(section, &mut out);
            out.push_str("</a></li>\n");
        }
        out.push_str("</ul></nav></header>\n<main>\n<noscript><p class=\"note\">Scripts do not run here: the tables hold what the charts would show.</p></noscript>\n");
        out.push_str(&self.body);
        out.push_str("</main>\n<script type=\"application/json\" id=\"data\">");
        out.push_str(&harmless(data));
        out.push_str("</script>\n");
        for script in [D3, PLOT, SCRIPT] {
            let _ = writeln!(out, "<script>{script}</script>");
        }
        out.push_str("</body>\n</html>\n");
        out
    }
}

/// A section's name in an address.
fn anchor(title: &str) -> String {
    title.to_ascii_lowercase().replace(' ', "-")
}

/// Appends a text as HTML shows it, in an element or in a quoted attribute.
fn text(words: &str, out: &mut String) {
    for letter in words.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
}

/// JSON without a letter that could end the element it stands in.
fn harmless(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn policy() -> String {
    let scripts: Vec<String> = [D3, PLOT, SCRIPT].into_iter().map(source).collect();
    let (scripts, style) = (scripts.join(" "), source(STYLE));
    format!("default-src 'none'; script-src {scripts}; style-src {style}; base-uri 'none'; form-action 'none'")
}

/// How a policy names an inline script or style.
fn source(text: &str) -> String {
    let mut hash = Vec::new();
    base64(&Sha256::digest(text.as_bytes()), &mut hash);
    format!("'sha256-{}'", String::from_utf8(hash).expect("base64 is ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_markup_is_escaped() {
        let hostile = "</script><img src=x onerror=alert(1)> & \"'";
        let mut page = Page::default();
        page.section("A title");
        page.heading(hostile);
        page.paragraph(hostile);
        page.note(hostile);
        page.tiles(&[(hostile, hostile.to_owned())]);
        page.chart("x", 0, hostile);
        let mut table = Table::new(&[hostile], 1);
        table.row([hostile.to_owned()]);
        page.table_behind(hostile, &table);
        page.verbatim(hostile, hostile);
        let html = page.finish(hostile, &json!({ "a": hostile }));
        assert!(!html.contains("<img"));
        assert_eq!(html.matches("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; &amp; &quot;&#39;").count(), 15);
        assert!(html.contains(r#"{"a":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e \u0026 \"'"}"#));
    }

    /// Nothing in them ends the element that they stand in.
    #[test]
    fn scripts_can_stand_in_a_page() {
        for script in [D3, PLOT, SCRIPT] {
            let lower = script.to_ascii_lowercase();
            assert!(!lower.contains("</script") && !lower.contains("<!--") && !script.contains('\r'));
        }
        assert!(!STYLE.to_ascii_lowercase().contains("</style"));
    }
}

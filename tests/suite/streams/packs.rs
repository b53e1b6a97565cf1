//! Random packs, always valid by the specification: every type declared, every signal in one place only, `confirms`
//! only for calendar windows of the wallet. They are written as text, since that is what both readers are given.

use super::Random;
use super::records::{CROWD_SIGNAL, OPERATIONS, OTHERS, SIGNALS, required};

const SLIDING: &[&str] = &["10m", "30m", "1h", "90m", "2h", "1d", "3d", "24h"];

/// Conditions that hold for some events and lack a field for others.
pub const CONDITIONS: &[&str] = &[
    "amount > 100",
    "amount >= 150 && client_status != \"identified\"",
    "anonymous",
    "!anonymous",
    "country != \"KZ\"",
    "country in [\"KZ\", \"RU\"]",
    "has(country) && country == \"RU\"",
    "has(balance) && amount > balance",
    "attributes.level > 1.5",
    "attributes.tag == \"a\" || amount < 100",
    "attributes.tag != \"b\" || anonymous",
    "attributes.tag.startsWith(\"a\")",
    "amount > 1 * units.MCI",
    "amount > 0.5 * units.MCI + 10",
    "counterparty in lists.mules",
    "amount > 50 && counterparty in lists.mules",
    "ip in lists.shared",
    "counterparty in lists.mules || attributes.flag == true",
    "!(counterparty in lists.mules)",
    "amount * 2 > 300 || country == \"KZ\"",
    "wallet.matches(\"[12]$\")",
    "client_status in [\"unregistered\", \"unidentified\"]",
    "amount - 50 <= 100.5 && has(ip)",
    "device.contains(\"1\") || device.endsWith(\"2\")",
    "ip.startsWith(\"10.\")",
    "currency == \"KZT\" && amount != 100",
    "!(attributes.level < 2) || anonymous",
    "has(attributes.level) && attributes.level == 2.5",
    "balance < 0 || amount == 100.00",
    "country == \"CN\" && !anonymous || amount == 50",
    "has(client_status) && !(client_status == \"identified\")",
];

const NAMES: &[&str] = &["held", "watched", "locked", "asked", "stopped"];
const DATES: &[&str] = &[
    "2024-03-01",
    "2024-02-29T18:30:00Z",
    "2025-01-01",
    "2026-02-01T00:00:00+05:00",
    "2024-02-29T20:00:00",
    "2023-01-01",
];

/// When something of these packs begins or ends, and the beginnings of units.
pub const INSTANTS: &[&str] = &[
    "2024-02-29T19:00:00Z",
    "2024-02-29T18:30:00Z",
    "2024-02-29T18:00:00Z",
    "2024-12-31T19:00:00Z",
    "2026-01-31T19:00:00Z",
    "2026-01-31T00:00:00Z",
    "2024-02-29T15:00:00Z",
    "2022-12-31T19:00:00Z",
];

pub fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// A pack of 2–5 restrictions and 3–12 rules over the types of `random_stream`.
pub fn random_pack(seed: u64) -> String {
    let mut random = Random::new(seed.wrapping_mul(7919).wrapping_add(1));
    let mut pack =
        String::from("name = \"random\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n\n");
    pack += "[units.MCI]\n\"2023-01-01\" = \"100\"\n\"2024-03-01\" = \"150\"\n\"2025-01-01\" = \"120.5\"\n\n[lists]\n";
    pack += "mules = [\"7702\", { value = \"77010000002\", expires = 2024-02-29T19:00:00Z, note = \"for a while\" }, { value = \"7703\", expires = 2026-01-31T00:00:00Z }, { value = \"77010000001\", expires = 2025-01-01T00:00:00+05:00 }, { value = \"77010000003\", expires = 2024-02-29T18:30:00Z }]\n";
    pack += "shared = [\"10.0.0.0/31\", \"2001:db8::/64\"]\n\n";
    for kind in OPERATIONS.iter().chain(OTHERS).chain(SIGNALS).chain(&[CROWD_SIGNAL]) {
        pack += &format!("[event.{kind}]\nrequires = {}\n", list(required(kind)));
    }
    if random.chance(60) {
        pack += random.pick(&[
            "\n[score]\nmonitor = 200\nhold = 500\nblock = 900\n",
            "\n[score]\nmonitor = 300\nhold = 600\nblock = 900\n",
            "\n[score]\npin = 100\nrefuse = 1000\n",
        ]);
    }
    let count = 2 + random.below(4);
    let restrictions: Vec<Restriction> =
        NAMES[..count].iter().map(|name| Restriction::random(&mut random, name)).collect();
    let mut rules: Vec<Rule> = Vec::new();
    for number in 0..3 + random.below(10) {
        let rule = match rules.last() {
            Some(last) if last.can_share() && random.chance(40) => last.sharing(&mut random, number),
            _ => Rule::random(&mut random, number, &restrictions),
        };
        rules.push(rule);
    }
    // What no signal imposes, a rule must.
    for restriction in restrictions.iter().filter(|one| one.imposed_by.is_empty() || one.confirms) {
        let number = rules.len();
        rules.push(Rule::imposing(&mut random, number, restriction));
        if restriction.confirms && random.chance(60) {
            rules.push(Rule::imposing(&mut random, number + 1, restriction));
        }
    }
    if seed % 8 == 5 {
        pack += &format!(
            "\n[restriction.crowd]\non = {}\naction = \"hold\"\nlifted_by = [\"{CROWD_SIGNAL}\"]\n",
            list(OPERATIONS)
        );
        pack += &format!(
            "\n[[rule]]\nid = \"crowd\"\non = {}\nwhen = 'amount > 0'\nrestrict = \"crowd\"\n",
            list(OPERATIONS)
        );
    }
    if seed % 4 == 1 {
        pack += "\n[[rule]]\nid = \"mules\"\non = [\"transfer\"]\nwhen = 'counterparty in lists.mules'\nscore = 50\n";
    }
    for restriction in &restrictions {
        pack += &restriction.print();
    }
    for rule in &rules {
        pack += &rule.print();
    }
    pack
}

struct Restriction {
    name: &'static str,
    imposed_by: Vec<&'static str>,
    confirms: bool,
    /// The keys that nothing else depends on, as TOML.
    keys: String,
}

impl Restriction {
    fn random(random: &mut Random, name: &'static str) -> Restriction {
        let target = random.pick(&["wallet", "wallet", "wallet", "wallet", "ip", "ip", "all"]);
        let mut signals = SIGNALS.to_vec();
        random.shuffle(&mut signals);
        let mut take = |count: usize| signals.split_off(signals.len() - count);
        let (imposing, lifting, cancelling) = (random.below(3), random.below(3), usize::from(random.chance(35)));
        let (imposed_by, lifted_by, cancelled_by) = (take(imposing), take(lifting), take(cancelling));
        let ends = !lifted_by.is_empty() || !cancelled_by.is_empty();
        let lasts = if ends && random.chance(45) {
            None
        } else {
            Some(random.pick(&["10m", "1h", "2h", "24h", "calendar day", "1 months", "3d"]))
        };
        let confirms = target == "wallet" && !lifted_by.is_empty() && random.chance(35);
        let incoming = target == "wallet" && random.chance(40);
        let count = 1 + random.below(3);
        let mut on = random.some(OPERATIONS, count);
        if !incoming && random.chance(50) {
            let count = 1 + random.below(2);
            on.extend(random.some(OTHERS, count));
        }
        let mut keys = format!("on = {}\n", list(&on));
        keys += &format!(
            "action = \"{}\"\n",
            random.pick(&["monitor", "captcha", "pin", "pin", "hold", "hold", "hold", "hold", "refuse", "block"])
        );
        if target != "wallet" || random.chance(10) {
            keys += &format!("target = \"{target}\"\n");
        }
        for (key, names) in [("imposed_by", &imposed_by), ("lifted_by", &lifted_by), ("cancelled_by", &cancelled_by)] {
            if !names.is_empty() {
                keys += &format!("{key} = {}\n", list(names));
            }
        }
        if !imposed_by.is_empty() && random.chance(25) {
            keys += &format!("when = '{}'\n", random.pick(CONDITIONS));
        }
        if let Some(lasts) = lasts {
            keys += &format!("lasts = \"{lasts}\"\n");
        }
        let flags = [("renews", lasts.is_some() && random.chance(45)), ("incoming", incoming), ("confirms", confirms)];
        for (key, _) in flags.iter().filter(|(_, yes)| *yes) {
            keys += &format!("{key} = true\n");
        }
        if random.chance(30) {
            keys += "status = \"marked\"\n";
        }
        if random.chance(40) {
            keys += "clause = \"7.1\"\n";
        }
        Restriction { name, imposed_by, confirms, keys }
    }

    fn print(&self) -> String {
        format!("\n[restriction.{}]\n{}", self.name, self.keys)
    }
}

#[derive(Clone)]
struct Rule {
    number: usize,
    on: Vec<&'static str>,
    when: Option<&'static str>,
    measure: &'static str,
    per: Option<Vec<&'static str>>,
    of: Option<&'static str>,
    within: &'static str,
    rest: String,
    accepted: bool,
    /// Mode, validity, action, score and what is restricted, as TOML.
    consequences: String,
}

impl Rule {
    fn random(random: &mut Random, number: usize, restrictions: &[Restriction]) -> Rule {
        let measure = random.pick(&[
            "", "count", "count", "sum", "sum", "distinct", "change", "streak", "streak", "new", "idle", "after",
        ]);
        let mut rule = Rule::of_measure(random, number, measure);
        if random.chance(55) {
            let is_confirmable = rule.is_confirmable();
            let allowed: Vec<&str> =
                restrictions.iter().filter(|one| is_confirmable || !one.confirms).map(|one| one.name).collect();
            if !allowed.is_empty() {
                let count = (1 + random.below(2)).min(allowed.len());
                let names = random.some(&allowed, count);
                rule.consequences += &if names.len() == 1 {
                    format!("restrict = \"{}\"\n", names[0])
                } else {
                    format!("restrict = {}\n", list(&names))
                };
            }
        }
        rule
    }

    /// A live rule that imposes the restriction now and then.
    fn imposing(random: &mut Random, number: usize, restriction: &Restriction) -> Rule {
        let mut rule = Rule::of_measure(random, number, "sum");
        rule.on = OPERATIONS.to_vec();
        rule.when = None;
        rule.per = None;
        rule.of = Some("amount");
        rule.within = random.pick(&["calendar day", "calendar day", "calendar month"]);
        rule.consequences = format!("action = \"pin\"\nrestrict = [\"{}\"]\n", restriction.name);
        rule
    }

    fn of_measure(random: &mut Random, number: usize, measure: &'static str) -> Rule {
        let count = 1 + random.below(3);
        let on = match measure {
            "streak" => vec!["login_failed"],
            "change" | "new" => random.some(&["login", "login_failed", "transfer", "payment"], count + 1),
            _ if random.chance(12) => random.some(SIGNALS, 2),
            _ if random.chance(75) => random.some(OPERATIONS, count),
            _ => random.some(&["transfer", "payment", "login", "login_failed", "time_passed"], count + 1),
        };
        let of = match measure {
            "sum" => Some(random.pick(&["amount", "amount", "amount", "attributes.level"])),
            "distinct" => Some(random.pick(&[
                "counterparty",
                "ip",
                "country",
                "amount",
                "device",
                "attributes.tag",
                "attributes.level",
                "wallet",
            ])),
            "change" | "new" => {
                Some(random.pick(&["country", "country", "ip", "device", "amount", "attributes.tag", "client_status"]))
            }
            _ => None,
        };
        let keys: &[&[&str]] = &[
            &["wallet"],
            &["wallet"],
            &["wallet", "amount"],
            &["ip"],
            &["counterparty"],
            &["wallet", "counterparty"],
            &["device"],
            &["wallet", "attributes.tag"],
            &["country", "device"],
        ];
        let keyed = !matches!(measure, "" | "idle") && random.chance(60);
        let per = keyed.then(|| random.pick(keys).to_vec()).filter(|per| !of.is_some_and(|of| per.contains(&of)));
        // `distinct` of the wallet makes no sense for one wallet.
        let per = if of == Some("wallet") { Some(vec![random.pick(&["ip", "country", "device"])]) } else { per };
        let mut rule = Rule {
            number,
            on,
            when: None,
            measure,
            per,
            of,
            within: "1h",
            rest: String::new(),
            accepted: random.chance(30),
            consequences: String::new(),
        };
        if measure.is_empty() || random.chance(30) {
            rule.when = Some(random.pick(CONDITIONS));
        }
        rule.draw_limits(random);
        rule.draw_consequences(random);
        rule
    }

    fn draw_limits(&mut self, random: &mut Random) {
        let figures = matches!(self.measure, "count" | "sum" | "distinct");
        self.within = match random.below(10) {
            0..2 if figures => "calendar day",
            2 if figures => "calendar month",
            3 if figures || matches!(self.measure, "after" | "new") => "1 months",
            _ => random.pick(SLIDING),
        };
        self.rest = match self.measure {
            "count" => format!("over = {}", 1 + random.below(4)),
            "sum" => {
                format!("over = {}", random.pick(&["100", "\"250.5\"", "\"2 MCI\"", "\"0.5 MCI\"", "300", "\"1000\""]))
            }
            "distinct" => format!("over = {}", 1 + random.below(2)),
            "streak" => {
                let goal = random.pick(&["from = 2", "from = 3", "at = 2", "at = 3"]);
                let reset = random.pick(&[
                    "",
                    "reset = [\"login\"], ",
                    "reset = [\"login\", \"transfer\"], ",
                    "reset = [\"payment\"], ",
                ]);
                format!("{reset}{goal}")
            }
            "idle" => {
                let over = random.pick(&["10m", "1h", "2h", "1d", "1 months"]);
                format!(
                    "since = {}, over = \"{over}\"",
                    random.pick(&[
                        "[\"login\", \"transfer\"]",
                        "[\"login\"]",
                        "[\"transfer\", \"payment\", \"topup\"]"
                    ])
                )
            }
            "after" => format!(
                "of = {}",
                random.pick(&[
                    "[\"login\"]",
                    "[\"login_failed\", \"transfer\"]",
                    "[\"topup\", \"payment\"]",
                    "[\"transfer\"]"
                ])
            ),
            _ => String::new(),
        };
    }

    fn draw_consequences(&mut self, random: &mut Random) {
        let keys = &mut self.consequences;
        if random.chance(75) {
            *keys += &format!(
                "action = \"{}\"\n",
                random.pick(&["monitor", "captcha", "pin", "hold", "hold", "refuse", "block"])
            );
        }
        if random.chance(60) {
            *keys += &format!("score = {}\n", random.pick(&[100, 200, 300, 400, 600]));
        }
        match random.below(100) {
            0..14 => *keys += "mode = \"shadow\"\n",
            14..19 => *keys += "mode = \"off\"\n",
            19..25 => *keys += "mode = \"live\"\n",
            _ => {}
        }
        match random.below(100) {
            0..7 => *keys += &format!("valid_from = {}\n", random.pick(DATES)),
            7..14 => *keys += &format!("valid_until = {}\n", random.pick(DATES)),
            14..17 => *keys += "valid_from = 2024-02-01\nvalid_until = 2024-03-01\n",
            _ => {}
        }
        if random.chance(50) {
            *keys += "clause = \"7.15(2)\"\n";
        }
    }

    /// Whether it may ask for a restriction that confirms.
    fn is_confirmable(&self) -> bool {
        let is_calendar = matches!(self.measure, "count" | "sum" | "distinct") && self.within.starts_with("calendar");
        is_calendar && self.per.as_ref().is_none_or(|per| per == &["wallet"])
    }

    fn can_share(&self) -> bool {
        matches!(self.measure, "count" | "sum" | "distinct") && !self.consequences.contains("restrict")
    }

    /// The same measure over another length or limit.
    fn sharing(&self, random: &mut Random, number: usize) -> Rule {
        let mut rule = self.clone();
        rule.number = number;
        rule.draw_limits(random);
        rule.consequences.clear();
        rule.draw_consequences(random);
        rule
    }

    fn print(&self) -> String {
        let mut text =
            format!("\n[[rule]]\nid = \"rule-{}\"\ntitle = \"A random rule\"\non = {}\n", self.number, list(&self.on));
        if let Some(when) = self.when {
            text += &format!("when = '{when}'\n");
        }
        if !self.measure.is_empty() {
            let mut keys = Vec::new();
            keys.extend(self.of.map(|of| format!("of = \"{of}\"")));
            keys.extend(self.per.as_ref().map(|per| format!("per = {}", list(per))));
            if self.measure != "idle" {
                keys.push(format!("within = \"{}\"", self.within));
            }
            if !self.rest.is_empty() {
                keys.push(self.rest.clone());
            }
            text += &format!("{} = {{ {} }}\n", self.measure, keys.join(", "));
        }
        if self.accepted {
            text += "counts = \"accepted\"\n";
        }
        text + &self.consequences
    }
}

// What to find: the plan that JavaScript gives, checked. A plan is followed by calls within calls and opens a list for each of its
// words, so that its depth and its words are bounded.

use crate::failure::{Failure, Kind, Result};
use crate::schema::WordField;
use napi::bindgen_prelude::{Array, FromNapiValue, JsObjectValue, Object, ValidateNapiValue};

const DEPTH_MAX: usize = 100;
const WORDS_MAX: usize = 1000;

/// Words next to each other, at least one; with `prefix` the last is only the beginning of one.
pub struct Phrase {
    pub words: Vec<String>,
    pub prefix: bool,
}

pub enum Plan {
    /// `distance` of one phrase means nothing.
    Near {
        field: WordField,
        phrases: Vec<Phrase>,
        distance: u32,
    },
    And(Vec<Plan>),
    Or(Vec<Plan>),
    Not(Box<Plan>, Box<Plan>),
}

impl Plan {
    pub fn of(object: &Object<'_>) -> Result<Self> {
        let plan = Reader { words: 0 }.plan(object, 0)?;
        plan.check_kind()?;
        Ok(plan)
    }

    /// A field that tells what the plan is of.
    pub fn field(&self) -> WordField {
        match self {
            Plan::Near { field, .. } => *field,
            Plan::And(of) | Plan::Or(of) => of[0].field(),
            Plan::Not(include, _) => include.field(),
        }
    }

    fn check_kind(&self) -> Result<()> {
        let kind = self.field().kind();
        let mut members: Vec<&Plan> = vec![self];
        while let Some(plan) = members.pop() {
            match plan {
                Plan::Near { field, .. } if field.kind() != kind => {
                    return Err(Failure::misuse("all fields of a plan must be of texts, or all of files"));
                }
                Plan::Near { .. } => {}
                Plan::And(of) | Plan::Or(of) => members.extend(of),
                Plan::Not(include, exclude) => members.extend([&**include, &**exclude]),
            }
        }
        Ok(())
    }
}

struct Reader {
    words: usize,
}

impl Reader {
    fn plan(&mut self, object: &Object<'_>, depth: usize) -> Result<Plan> {
        if depth > DEPTH_MAX {
            return Err(Failure::new(Kind::Limit, format!("a plan may be {DEPTH_MAX} deep")));
        }
        let kind: String = get(object, "kind")?;
        match kind.as_str() {
            "phrase" => {
                let phrases = vec![self.phrase(object)?];
                leaf(object, phrases, 0)
            }
            "near" => {
                let members = objects(&get::<Array<'_>>(object, "phrases")?)?;
                let phrases = members.iter().map(|member| self.phrase(member)).collect::<Result<_>>()?;
                let distance: f64 = get(object, "distance")?;
                if distance.is_nan() || distance < 0.0 {
                    return Err(Failure::misuse("distance must be a count"));
                }
                leaf(object, phrases, distance as u32)
            }
            "and" | "or" => {
                let members = objects(&get::<Array<'_>>(object, "of")?)?;
                let of = members.iter().map(|member| self.plan(member, depth + 1)).collect::<Result<Vec<_>>>()?;
                if of.is_empty() {
                    return Err(Failure::misuse(format!("'{kind}' must have members")));
                }
                Ok(if kind == "and" { Plan::And(of) } else { Plan::Or(of) })
            }
            "not" => {
                let include = self.plan(&get(object, "include")?, depth + 1)?;
                let exclude = self.plan(&get(object, "exclude")?, depth + 1)?;
                Ok(Plan::Not(Box::new(include), Box::new(exclude)))
            }
            _ => Err(Failure::misuse(format!("there is no plan of kind {kind:?}"))),
        }
    }

    fn phrase(&mut self, object: &Object<'_>) -> Result<Phrase> {
        let array: Array<'_> = get(object, "words")?;
        if array.len() == 0 {
            return Err(Failure::misuse("a phrase must have words"));
        }
        self.words += array.len() as usize;
        if self.words > WORDS_MAX {
            return Err(Failure::new(Kind::Limit, format!("a plan may have {WORDS_MAX} words")));
        }
        let wrong = || Failure::misuse("words must be strings");
        let words = (0..array.len()).map(|index| array.get::<String>(index).ok().flatten().ok_or_else(wrong));
        Ok(Phrase { words: words.collect::<Result<_>>()?, prefix: get(object, "prefix")? })
    }
}

fn leaf(object: &Object<'_>, phrases: Vec<Phrase>, distance: u32) -> Result<Plan> {
    let field = WordField::named(&get::<String>(object, "field")?)?;
    if phrases.is_empty() {
        return Err(Failure::misuse("'near' must have phrases"));
    }
    if !field.is_ordered() && (phrases.len() > 1 || phrases[0].words.len() > 1) {
        return Err(Failure::misuse("whole identifiers have no order"));
    }
    Ok(Plan::Near { field, phrases, distance })
}

fn get<T: FromNapiValue + ValidateNapiValue>(object: &Object<'_>, name: &str) -> Result<T> {
    object.get_named_property(name).map_err(|_| Failure::misuse(format!("'{name}' of a plan is missing or wrong")))
}

fn objects<'env>(array: &Array<'env>) -> Result<Vec<Object<'env>>> {
    // Each has a word at least.
    if array.len() as usize > WORDS_MAX {
        return Err(Failure::new(Kind::Limit, format!("a plan may have {WORDS_MAX} words")));
    }
    let wrong = || Failure::misuse("members of a plan must be objects");
    (0..array.len()).map(|index| array.get::<Object<'env>>(index).ok().flatten().ok_or_else(wrong)).collect()
}

//! What every call begins with, before the clinic's own words: which clinic it is, that an AI assistant speaks, and that the call is
//! recorded. The clinic does not choose it; its wording has a version, so that it can be said which one a caller heard.

use crate::call::Direction;

/// The version of the wording. Another wording is another version.
pub const VERSION: u32 = 1;
/// What stands for the clinic's name, and is filled in for each call. A clinic without a name, and a call that nothing is known for,
/// has words of the language instead.
pub const NAME: &str = "clinic_name";

/// The wording in one language: for a call that comes in, for one that goes out, and what stands for a clinic without a name. `NAME` is
/// the name's place.
struct Wording {
    language: &'static str,
    inbound: &'static str,
    outbound: &'static str,
    nameless: &'static str,
}

const ENGLISH: Wording = Wording {
    language: "en",
    inbound: "Hello, this is the AI assistant of NAME. This call is recorded.",
    outbound: "Hello, this is an AI assistant calling for NAME. This call is recorded.",
    nameless: "the clinic",
};

const OTHERS: [Wording; 14] = [
    Wording {
        language: "de",
        inbound: "Guten Tag, hier ist die KI-Assistenz von NAME. Dieser Anruf wird aufgezeichnet.",
        outbound: "Guten Tag, hier ist eine KI-Assistenz im Auftrag von NAME. Dieser Anruf wird aufgezeichnet.",
        nameless: "der Praxis",
    },
    Wording {
        language: "es",
        inbound: "Hola, soy el asistente de inteligencia artificial de NAME. Esta llamada se graba.",
        outbound: "Hola, soy un asistente de inteligencia artificial y llamo de parte de NAME. Esta llamada se graba.",
        nameless: "la clínica",
    },
    Wording {
        language: "fr",
        inbound: "Bonjour, ici l'assistant d'intelligence artificielle du cabinet : NAME. Cet appel est enregistré.",
        outbound: "Bonjour, ici un assistant d'intelligence artificielle qui appelle pour le cabinet : NAME. Cet appel est enregistré.",
        nameless: "la clinique",
    },
    Wording {
        language: "hi",
        inbound: "नमस्ते, मैं NAME की एआई सहायक हूँ। यह कॉल रिकॉर्ड की जा रही है।",
        outbound: "नमस्ते, मैं एक एआई सहायक हूँ और NAME की ओर से कॉल कर रही हूँ। यह कॉल रिकॉर्ड की जा रही है।",
        nameless: "क्लिनिक",
    },
    Wording {
        language: "it",
        inbound: "Buongiorno, sono l'assistente di intelligenza artificiale dello studio NAME. Questa chiamata viene registrata.",
        outbound: "Buongiorno, sono un assistente di intelligenza artificiale e chiamo per conto dello studio NAME. Questa chiamata viene registrata.",
        nameless: "medico",
    },
    Wording {
        language: "ja",
        inbound: "お電話ありがとうございます。NAMEのAIアシスタントです。この通話は録音されます。",
        outbound: "NAMEからお電話しているAIアシスタントです。この通話は録音されます。",
        nameless: "クリニック",
    },
    Wording {
        language: "ko",
        inbound: "안녕하세요, NAME의 AI 비서입니다. 이 통화는 녹음됩니다.",
        outbound: "안녕하세요, NAME을 대신하여 전화드리는 AI 비서입니다. 이 통화는 녹음됩니다.",
        nameless: "병원",
    },
    Wording {
        language: "nl",
        inbound: "Goedendag, u spreekt met de AI-assistent van NAME. Dit gesprek wordt opgenomen.",
        outbound: "Goedendag, u spreekt met een AI-assistent die belt namens NAME. Dit gesprek wordt opgenomen.",
        nameless: "de praktijk",
    },
    Wording {
        language: "pl",
        inbound: "Dzień dobry, tu asystent sztucznej inteligencji, NAME. Ta rozmowa jest nagrywana.",
        outbound: "Dzień dobry, tu asystent sztucznej inteligencji, dzwonię w imieniu: NAME. Ta rozmowa jest nagrywana.",
        nameless: "przychodnia",
    },
    Wording {
        language: "pt",
        inbound: "Olá, sou o assistente de inteligência artificial de NAME. Esta chamada é gravada.",
        outbound: "Olá, sou um assistente de inteligência artificial e ligo em nome de NAME. Esta chamada é gravada.",
        nameless: "sua clínica",
    },
    Wording {
        language: "ru",
        inbound: "Здравствуйте, это ассистент на основе искусственного интеллекта, NAME. Разговор записывается.",
        outbound: "Здравствуйте, это ассистент на основе искусственного интеллекта, я звоню по поручению: NAME. Разговор записывается.",
        nameless: "клиника",
    },
    Wording {
        language: "sv",
        inbound: "Hej, det här är AI-assistenten på NAME. Samtalet spelas in.",
        outbound: "Hej, det här är en AI-assistent som ringer för NAME. Samtalet spelas in.",
        nameless: "kliniken",
    },
    Wording {
        language: "tr",
        inbound: "Merhaba, ben NAME yapay zekâ asistanıyım. Bu görüşme kaydedilmektedir.",
        outbound: "Merhaba, ben NAME adına arayan bir yapay zekâ asistanıyım. Bu görüşme kaydedilmektedir.",
        nameless: "klinik",
    },
    Wording {
        language: "uk",
        inbound: "Вітаю, це асистент на основі штучного інтелекту, NAME. Розмова записується.",
        outbound: "Вітаю, це асистент на основі штучного інтелекту, я телефоную за дорученням: NAME. Розмова записується.",
        nameless: "клініка",
    },
];

/// Returns what an agent says first at the voice service, where the name is filled in for each call: the opening, and after it the
/// clinic's own words. The vendor fills in what stands in two braces, with `default` for what it is not given
/// (<https://docs.vapi.ai/assistants/dynamic-variables>).
pub fn first_message(role: Direction, language: &str, own_words: &str) -> String {
    let wording = wording(language);
    let place = format!("{{{{{NAME} | default: \"{}\"}}}}", wording.nameless);
    format!("{} {own_words}", wording.of(role).replace("NAME", &place))
}

/// Returns the opening as a caller of this clinic hears it.
pub fn opening(role: Direction, language: &str, name: Option<&str>) -> String {
    let wording = wording(language);
    wording.of(role).replace("NAME", name.unwrap_or(wording.nameless))
}

impl Wording {
    const fn of(&self, role: Direction) -> &'static str {
        match role {
            Direction::Inbound => self.inbound,
            Direction::Outbound => self.outbound,
        }
    }
}

/// The wording of a language, as BCP 47 writes it; English for one that has none.
fn wording(language: &str) -> &'static Wording {
    let base = language.split('-').next().unwrap_or_default();
    OTHERS.iter().find(|wording| wording.language == base).unwrap_or(&ENGLISH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Behavior, LANGUAGES};

    #[test]
    fn a_call_begins_with_the_clinic_the_assistant_and_the_recording_and_then_the_clinics_words() {
        let said = first_message(Direction::Inbound, "en-GB", "How can I help you?");
        assert_eq!(
            said,
            "Hello, this is the AI assistant of {{clinic_name | default: \"the clinic\"}}. This call is recorded. \
             How can I help you?"
        );
        let outbound = opening(Direction::Outbound, "en", Some("Hill Street Dental"));
        assert_eq!(
            outbound,
            "Hello, this is an AI assistant calling for Hill Street Dental. This call is recorded."
        );
        assert!(opening(Direction::Inbound, "en", None).contains("of the clinic."));
    }

    #[test]
    fn each_language_that_an_agent_can_have_is_spoken_and_names_the_clinic() {
        for language in LANGUAGES {
            let base = language.split('-').next().unwrap();
            assert_eq!(wording(language).language, base, "{language}");
            for role in [Direction::Inbound, Direction::Outbound] {
                assert_eq!(wording(language).of(role).matches("NAME").count(), 1, "{language}");
                let said = first_message(role, language, &Behavior::first(role).first_message);
                assert_eq!(said.matches("{{").count(), 1, "{said}");
            }
        }
        assert_eq!(wording("tlh").language, "en");
    }
}

//! CPIX documents ("DASH-IF Implementation Guidelines: Content Protection Information Exchange Format") as SPEKE version 2
//! uses them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use config::origin::EncryptionMethod;
use packager::protect::{ContentKey, KeyId, System, SystemData};
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

/// Deeper than any such document; a bound on what is remembered while one is read.
const MAX_DEPTH: usize = 32;

/// What a key server is asked.
pub(super) struct Ask<'a> {
    pub(super) content: &'a str,
    pub(super) method: EncryptionMethod,
    pub(super) systems: &'a [System],
    /// Of each period, for pictures and for sound.
    pub(super) ids: Vec<[KeyId; 2]>,
}

impl Ask<'_> {
    /// The document.
    pub(super) fn document(&self) -> String {
        let mut writer = Writer::new(Vec::new());
        self.write(&mut writer).expect("memory takes every byte");
        String::from_utf8(writer.into_inner()).expect("an XML writer given text writes text")
    }

    fn write(&self, xml: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let scheme = match self.method {
            EncryptionMethod::Aes128 => None,
            EncryptionMethod::Cenc => Some(("commonEncryptionScheme", "cenc")),
            EncryptionMethod::Cbcs => Some(("commonEncryptionScheme", "cbcs")),
        };
        let rotates = self.ids.len() > 1;
        xml.create_element("cpix:CPIX")
            .with_attributes([
                ("contentId", self.content),
                ("version", "2.3"),
                ("xmlns:cpix", "urn:dashif:org:cpix"),
                ("xmlns:pskc", "urn:ietf:params:xml:ns:keyprov:pskc"),
            ])
            .write_inner_content(|xml| {
                xml.create_element("cpix:ContentKeyList").write_inner_content(|xml| {
                    for id in self.distinct() {
                        xml.create_element("cpix:ContentKey")
                            .with_attribute(("kid", &*id.to_string()))
                            .with_attributes(scheme)
                            .write_empty()?;
                    }
                    Ok(())
                })?;
                xml.create_element("cpix:DRMSystemList")
                    .write_inner_content(|xml| self.write_systems(xml))?;
                if rotates {
                    xml.create_element("cpix:ContentKeyPeriodList").write_inner_content(|xml| {
                        for index in 1..=self.ids.len() {
                            xml.create_element("cpix:ContentKeyPeriod")
                                .with_attributes([
                                    ("id", &*format!("p{index}")),
                                    ("index", &index.to_string()),
                                ])
                                .write_empty()?;
                        }
                        Ok(())
                    })?;
                }
                xml.create_element("cpix:ContentKeyUsageRuleList").write_inner_content(|xml| {
                    for (index, [pictures, sound]) in (1..).zip(&self.ids) {
                        for (id, track, filter) in
                            [(pictures, "VIDEO", "cpix:VideoFilter"), (sound, "AUDIO", "cpix:AudioFilter")]
                        {
                            xml.create_element("cpix:ContentKeyUsageRule")
                                .with_attributes([("kid", &*id.to_string()), ("intendedTrackType", track)])
                                .write_inner_content(|xml| {
                                    if rotates {
                                        xml.create_element("cpix:KeyPeriodFilter")
                                            .with_attribute(("periodId", &*format!("p{index}")))
                                            .write_empty()?;
                                    }
                                    xml.create_element(filter).write_empty()?;
                                    Ok(())
                                })?;
                        }
                    }
                    Ok(())
                })?;
                Ok(())
            })?;
        Ok(())
    }

    fn write_systems(&self, xml: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        for id in self.distinct() {
            // Keys in the clear need nobody's data.
            for system in self.systems.iter().filter(|it| **it != System::ClearKey) {
                xml.create_element("cpix:DRMSystem")
                    .with_attributes([("kid", &*id.to_string()), ("systemId", &system.id().to_string())])
                    .write_inner_content(|xml| {
                        if *system != System::FairPlay {
                            xml.create_element("cpix:PSSH").write_empty()?;
                        }
                        xml.create_element("cpix:HLSSignalingData")
                            .with_attribute(("playlist", "media"))
                            .write_text_content(BytesText::new(""))?;
                        Ok(())
                    })?;
            }
        }
        Ok(())
    }

    fn distinct(&self) -> Vec<KeyId> {
        let mut ids: Vec<KeyId> = Vec::new();
        for id in self.ids.iter().flatten() {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        ids
    }
}

/// What a key server says.
#[derive(Debug, Default)]
pub(super) struct Answer {
    keys: HashMap<KeyId, ContentKey>,
    pub(super) data: HashMap<(KeyId, System), SystemData>,
}

impl Answer {
    /// The key of that name.
    pub(super) fn key(&self, id: KeyId) -> Result<ContentKey, String> {
        self.keys.get(&id).cloned().ok_or_else(|| format!("it has no key {id}"))
    }
}

/// Where in a document its reader is.
#[derive(Default)]
struct State {
    answer: Answer,
    /// Names of the elements that are open, without their prefixes.
    open: Vec<String>,
    key: Option<(KeyId, Option<[u8; 16]>)>,
    system: Option<(KeyId, System)>,
    /// Whether the signaling data is for media playlists.
    of_media: bool,
    text: String,
}

/// Reads a document of a stranger: no entity of its own is known to it, and nothing is fetched for it.
///
/// # Errors
/// What is wrong, without a key in it.
pub(super) fn read(document: &[u8]) -> Result<Answer, String> {
    let text = std::str::from_utf8(document).map_err(|_| "it is no UTF-8")?;
    let mut reader = Reader::from_str(text);
    let mut state = State::default();
    loop {
        match reader.read_event().map_err(|error| format!("it is no XML: {error}"))? {
            Event::Start(element) => state.begin(&element)?,
            Event::Empty(element) => {
                state.begin(&element)?;
                state.end()?;
            }
            Event::Text(text) => state.text.push_str(&text),
            Event::End(_) => state.end()?,
            Event::DocType(_) => return Err("it has a document type, which no CPIX document has".into()),
            Event::Eof => return Ok(state.answer),
            _ => {}
        }
    }
}

impl State {
    fn begin(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} elements"));
        }
        let name = element.local_name().as_ref().to_owned();
        let attribute = |name: &str| {
            let found = element.try_get_attribute(name).ok().flatten();
            found.map(|it| it.value.into_owned())
        };
        let id = || attribute("kid").and_then(|it| KeyId::parse(&it)).ok_or("a kid is no UUID".to_owned());
        match name.as_str() {
            "ContentKey" => {
                let iv =
                    attribute("explicitIV").map(|it| sixteen(&it).ok_or("an explicitIV is not 16 octets"));
                self.key = Some((id()?, iv.transpose()?));
            }
            "DRMSystem" => {
                let system = attribute("systemId").and_then(|it| System::of(KeyId::parse(&it)?));
                let id = id()?;
                self.system = system.map(|it| (id, it));
            }
            "HLSSignalingData" => self.of_media = attribute("playlist").is_none_or(|it| it == "media"),
            "EncryptedValue" => {
                return Err(
                    "its keys are encrypted; have the key server send them in the clear, over TLS".into()
                );
            }
            _ => {}
        }
        self.text.clear();
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(name) = self.open.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text);
        let octets = || STANDARD.decode(text.split_ascii_whitespace().collect::<String>());
        match name.as_str() {
            "PlainValue" => {
                if let Some((id, iv)) = self.key {
                    let key =
                        sixteen(&text).ok_or_else(|| format!("the key {id} is not 16 octets in base64"))?;
                    self.answer.keys.insert(id, ContentKey::new(id, key, iv));
                }
            }
            "PSSH" => {
                if let (Some(of), Ok(pssh)) = (self.system, octets())
                    && !pssh.is_empty()
                {
                    self.answer.data.entry(of).or_default().pssh = Some(Bytes::from(pssh));
                }
            }
            "HLSSignalingData" => {
                let tag = octets().ok().and_then(|it| String::from_utf8(it).ok());
                if let (Some(of), Some(uri), true) =
                    (self.system, tag.as_deref().and_then(uri), self.of_media)
                {
                    self.answer.data.entry(of).or_default().uri = Some(uri);
                }
            }
            "ContentKey" => self.key = None,
            "DRMSystem" => self.system = None,
            _ => {}
        }
        Ok(())
    }
}

/// Sixteen octets in base64.
fn sixteen(text: &str) -> Option<[u8; 16]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

/// The URI of an `EXT-X-KEY` tag; none that would break a playlist.
fn uri(tag: &str) -> Option<String> {
    let (_, behind) = tag.lines().find(|it| it.starts_with("#EXT-X-KEY"))?.split_once("URI=\"")?;
    let (uri, _) = behind.split_once('"')?;
    (!uri.is_empty() && !uri.contains(|it: char| it.is_control())).then(|| uri.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233-4455-6677-8899-aabbccddeeff";

    fn id() -> KeyId {
        KeyId::parse(ID).unwrap()
    }

    fn answer(inner: &str) -> Result<Answer, String> {
        read(
            format!(
                "<?xml version=\"1.0\"?><cpix:CPIX xmlns:cpix=\"a\" xmlns:pskc=\"b\">{inner}</cpix:CPIX>"
            )
            .as_bytes(),
        )
    }

    fn key(value: &str) -> String {
        format!(
            "<cpix:ContentKeyList><cpix:ContentKey kid=\"{ID}\" explicitIV=\"AQEBAQEBAQEBAQEBAQEBAQ==\"><cpix:Data>\
             <pskc:Secret>{value}</pskc:Secret></cpix:Data></cpix:ContentKey></cpix:ContentKeyList>"
        )
    }

    #[test]
    fn a_document_asks_for_every_key_once_and_says_what_it_is_for() {
        let other = KeyId([9; 16]);
        let systems = [System::ClearKey, System::Widevine, System::FairPlay];
        let method = EncryptionMethod::Cbcs;
        let ask =
            Ask { content: "a & b.mp4", method, systems: &systems, ids: vec![[id(), id()], [other, other]] };
        let text = ask.document();
        assert!(text.contains("contentId=\"a &amp; b.mp4\" version=\"2.3\""), "{text}");
        assert_eq!(text.matches("<cpix:ContentKey kid=").count(), 2);
        assert_eq!(text.matches("commonEncryptionScheme=\"cbcs\"").count(), 2);
        assert_eq!(text.matches("systemId=\"edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"").count(), 2);
        assert_eq!(text.matches("1077efec").count(), 0);
        assert_eq!(text.matches("<cpix:ContentKeyUsageRule kid=").count(), 4);
        assert!(text.contains("<cpix:ContentKeyPeriod id=\"p2\" index=\"2\"/>"), "{text}");
    }

    #[test]
    fn keys_vectors_and_what_systems_are_told_are_read() {
        let tag = STANDARD.encode("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"f\"\n");
        let system = |system: System, inner: &str| {
            format!("<cpix:DRMSystem kid=\"{ID}\" systemId=\"{}\">{inner}</cpix:DRMSystem>", system.id())
        };
        let widevine = system(System::Widevine, "<cpix:PSSH>AAAA\n AAAA</cpix:PSSH>");
        let fairplay = system(
            System::FairPlay,
            &format!(
                "<cpix:HLSSignalingData playlist=\"master\">AAAA</cpix:HLSSignalingData>\
                 <cpix:HLSSignalingData playlist=\"media\">{tag}</cpix:HLSSignalingData>"
            ),
        );
        let found = answer(&format!(
            "{}<cpix:DRMSystemList>{widevine}{fairplay}</cpix:DRMSystemList>",
            key("<pskc:PlainValue> MDEyMzQ1Njc4OWFiY2RlZg== </pskc:PlainValue>")
        ));
        let found = found.unwrap();
        assert_eq!(found.key(id()), Ok(ContentKey::new(id(), *b"0123456789abcdef", Some([1; 16]))));
        assert_eq!(
            found.key(KeyId([1; 16])),
            Err("it has no key 01010101-0101-0101-0101-010101010101".into())
        );
        let widevine = SystemData { pssh: Some(Bytes::from_static(&[0; 6])), uri: None };
        assert_eq!(found.data[&(id(), System::Widevine)], widevine);
        assert_eq!(
            found.data[&(id(), System::FairPlay)],
            SystemData { pssh: None, uri: Some("skd://x".into()) }
        );
    }

    #[test]
    fn what_is_no_answer_is_told_without_a_key() {
        let told = |inner: &str| answer(inner).unwrap_err();
        let short = key("<pskc:PlainValue>MDEyMw==</pskc:PlainValue>");
        assert_eq!(told(&short), format!("the key {ID} is not 16 octets in base64"));
        assert!(told(&key("<pskc:EncryptedValue/>")).starts_with("its keys are encrypted"));
        assert_eq!(told("<cpix:ContentKey kid=\"7\"/>"), "a kid is no UUID");
        assert!(told(&"<a>".repeat(40)).starts_with("it is nested deeper"));
        assert!(told("</b>").starts_with("it is no XML"));
        assert!(
            read(b"<!DOCTYPE a [<!ENTITY b \"c\">]><a/>").unwrap_err().starts_with("it has a document type")
        );
        assert!(read(&[0xff]).is_err());
        assert!(answer("&b;").unwrap().keys.is_empty());
        assert_eq!(uri("#EXT-X-KEY:URI=\"a\tb\""), None);
    }
}

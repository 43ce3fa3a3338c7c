// Package manifest implements the archive format of strongroom: types, keys, a strict codec,
// pages, the hash chain and the rules for names. It does no I/O and does not use the current time.
//
// The normative description of the format is docs/format.md. A difference between the code and
// that page is a bug in one of them.
//
// # Use
//
//   - Keys: [ManifestKey], [LedgerKey], [DataKey], [SealedDataKey], [BundleKey], [PageKey],
//     [WithNonce] and [ProofKey] make the keys of an archive; [ParseManifestKey],
//     [ParseLedgerKey], [ParseObjectKey], [CutNonce] and [ParseProofKey] read them. All
//     formulas are in keys.go.
//   - Objects: [Manifest], [Record], [Archive] and [Proof] have a method Encode that returns
//     the bytes to store; [DecodeManifest], [DecodeRecord], [DecodeArchive] and
//     [DecodeProof] read them. [DecodeSummary] reads what a listing shows from the first
//     [SummaryBytes] of a manifest.
//   - Pages: [CutPages] cuts the entries of a large snapshot; a [PageCodec] encodes and
//     decodes one page.
//   - Names: [CheckName] and [CheckNames] reject names that no archive may have; [EncodeName]
//     returns a name as it is in keys.
//
// Decoders reject invalid objects with a [ParseError] and return no partial value. They need
// memory in proportion to their input. They reject an object with an unsupported format with
// [ErrVersion]. Fields that they do not support set Unknown.
package manifest

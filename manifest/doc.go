// Package manifest is the archive format of strongroom: types, keys, a strict codec,
// pages, the hash chain and the rules for names. It does no I/O and reads no clock.
//
// The format itself is docs/format.md, which is normative for this package: what the code
// does and that page does not describe is a bug in one of the two.
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
//   - Names: [CheckName] and [CheckNames] refuse what no archive may hold; [EncodeName] is
//     a name as keys have it.
//
// Decoders refuse what is not valid, with a [ParseError], in memory proportional to their
// input, before a caller sees any value. An object with a format that this package does not
// support is refused with [ErrVersion]; fields that it does not support set Unknown.
package manifest

/// A text of one form, checked when it is made, that travels as it is written.
package protocol CheckedText: Hashable, Sendable, Codable, CustomStringConvertible {
    /// - Throws: `badRequest` for any other text.
    init(_ text: String) throws(GodwitError)
}

extension CheckedText {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The name of an instance: what `godwit list` shows and `godwit move` takes.
///
/// One to 63 ASCII letters, digits and dashes, starting with a letter, not ending with a dash
/// (RFC 1123 labels, the rule of LXD and Incus), so that it is a host name and a file name too.
package struct InstanceName: CheckedText {
    package let text: String
    package var description: String { text }

    package init(_ text: String) throws(GodwitError) {
        self.text = try label(text, of: "instance")
    }
}

/// The name of a snapshot, unique within its instance: what `godwit restore NAME SNAP` takes.
///
/// One to 100 ASCII letters, digits, dashes, dots and underscores, starting with a letter or a
/// digit, so that it is a file name, and a name in every filesystem that keeps snapshots, too.
package struct SnapshotName: CheckedText {
    package let text: String
    package var description: String { text }

    package init(_ text: String) throws(GodwitError) {
        let bytes = Array(text.utf8)
        let isPlain = bytes.allSatisfy { isAlphanumeric($0) || [0x2d, 0x2e, 0x5f].contains($0) }
        guard let first = bytes.first, bytes.count <= 100, isPlain, isAlphanumeric(first) else {
            throw GodwitError(
                .badRequest,
                "the snapshot name \"\(text.prefix(80))\" is not usable",
                remedy: "use 1 to 100 letters, digits, dashes, dots and underscores, a letter or "
                    + "digit first"
            )
        }
        self.text = text
    }

    /// What a snapshot without a name of its own is called: `snap0`, `snap1` and so on, one above
    /// the highest of that kind that is there.
    package static func next(after names: some Sequence<SnapshotName>) -> SnapshotName {
        let known = Set(names)
        let numbers = known.compactMap { name -> UInt64? in
            let digits = name.text.dropFirst(4)
            guard name.text.hasPrefix("snap"), digits.count <= 9 else { return nil }
            return UInt64(digits)
        }
        var number = numbers.max().map { $0 + 1 } ?? 0
        while true {
            do {
                let name = try SnapshotName("snap\(number)")
                if !known.contains(name) { return name }
                number += 1
            } catch { preconditionFailure("a word and a number are a name") }
        }
    }
}

/// The name of a named volume, unique within its pool: what `godwit volume attach` takes.
///
/// The rule of instances' names, so that it is a file name, and a name in every filesystem.
package struct VolumeName: CheckedText {
    package let text: String
    package var description: String { text }

    package init(_ text: String) throws(GodwitError) {
        self.text = try label(text, of: "volume")
    }
}

/// The short name under which this host knows another one, without the colon.
package struct RemoteName: CheckedText {
    package let text: String
    package var description: String { text }

    package init(_ text: String) throws(GodwitError) {
        self.text = try label(text, of: "remote")
    }
}

/// The name of one migration run: 32 lower-case hexadecimal digits, made at random by the source.
package struct MigrationID: CheckedText {
    package let text: String
    package var description: String { text }

    package init(_ text: String) throws(GodwitError) {
        guard isHexadecimal(text, digits: 32) else {
            throw GodwitError(
                .badRequest,
                "\"\(text.prefix(80))\" is not a migration's id",
                remedy: "use one that `godwit migrations` lists: 32 hexadecimal digits"
            )
        }
        self.text = text
    }
}

/// In lower case.
func isHexadecimal(_ text: String, digits: Int) -> Bool {
    text.utf8.count == digits
        && text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
        }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}

/// - Throws: `badRequest` unless it is one (RFC 1123).
private func label(_ text: String, of what: String) throws(GodwitError) -> String {
    let bytes = Array(text.utf8)
    guard let first = bytes.first, bytes.count <= 63, bytes.last != 0x2d,
        isAlphanumeric(first), !(0x30...0x39).contains(first),
        bytes.allSatisfy({ isAlphanumeric($0) || $0 == 0x2d })
    else {
        throw GodwitError(
            .badRequest, "the \(what) name \"\(text.prefix(80))\" is not usable",
            remedy: "use 1 to 63 letters, digits and dashes, a letter first")
    }
    return text
}

import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

@Suite struct UserNamespaceImagesTests {
    private static let extent: [UInt8] = [
        0x08, 0x00, 0x10, 0xC0, 0x84, 0x3D, 0x18, 0x80, 0x80, 0x04,
    ]
    private static let sample: [UInt8] =
        [0x19, 0x43, 0x56, 0x54, 0x06, 0x49, 0x47, 0x55, 24, 0, 0, 0]
        + [0x0A, 10] + extent + [0x12, 10] + extent

    private let map = IDMap(hostStart: 1_000_000, count: 65_536)

    @Test func `the host ids become those of this host, and can become the former again`() throws {
        try inDirectory { directory in
            let path = "\(directory)/userns-10.img"
            try write(Self.sample, to: path)
            try write([1, 2], to: "\(directory)/pages-1.img")
            let other = IDMap(hostStart: 4_294_901_758, count: 65_536)
            #expect(try UserNamespaceImages.rewrite(in: directory, to: map) == map)
            #expect(try SmallFile.bytes(path) == Self.sample)
            #expect(try UserNamespaceImages.rewrite(in: directory, to: other) == map)
            let start: [UInt8] = [0xFE, 0xFF, 0xFB, 0xFF, 0x0F]
            #expect(try SmallFile.bytes(path).count == Self.sample.count + 4)
            #expect(try SmallFile.bytes(path)[16..<23] == [0x10] + start + [0x18])
            #expect(try UserNamespaceImages.rewrite(in: directory, to: map) == other)
            #expect(try SmallFile.bytes(path) == Self.sample)
            #expect(try SmallFile.bytes("\(directory)/pages-1.img") == [1, 2])
        }
    }

    @Test func `images of another kind of instance are refused`() throws {
        try inDirectory { directory in
            #expect(try UserNamespaceImages.rewrite(in: directory, to: nil) == nil)
            refuses(directory, map)
            try write(Self.sample, to: "\(directory)/userns-10.img")
            refuses(directory, nil)
            refuses(directory, IDMap(hostStart: 1_000_000, count: 65_535))
            try write(Self.sample, to: "\(directory)/userns-11.img")
            refuses(directory, map)
        }
    }

    @Test func `an image of another form is refused and stays as it is`() throws {
        let extent = Self.extent
        let (users, groups): ([UInt8], [UInt8]) = ([0x0A, 10] + extent, [0x12, 10] + extent)
        let larger: [UInt8] = [0x12, 10] + extent.dropLast() + [0x05]
        let longer: [UInt8] = extent + [0x20, 1]
        let later: [UInt8] = [0x08, 1] + extent.dropFirst(2)
        // Of groups alone, of two extents, with other groups.
        var strange = [groups, users + users + groups, users + larger].map(image)
        // With a fourth field, not from 0 on.
        strange += [longer, later].map { image(sound(around: $0)) }
        strange += (0..<Self.sample.count).map { Array(Self.sample.prefix($0)) }
        strange.append(Self.sample + [0])
        // More bytes than a number of 32 bits can have, and a number that no id is.
        for wide: [UInt8] in [
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], [0xFF, 0xFF, 0xFF, 0xFF, 0x1F],
            [0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        ] {
            let first: [UInt8] = [0x08, 0, 0x10] + wide
            strange.append(image(sound(around: first + [0x18, 0x80, 0x80, 0x04])))
        }
        for image in strange {
            try inDirectory { directory in
                try write(image, to: "\(directory)/userns-1.img")
                refuses(directory, map)
                #expect(try SmallFile.bytes("\(directory)/userns-1.img") == image)
            }
        }
    }

    /// Whatever it is: it is read as a map of that many ids, or refused.
    @Test func `mutated images end in an error of ours or under the ids of this host`() throws {
        let other = IDMap(hostStart: 7, count: 65_536)
        var (refused, taken) = (0, 0)
        try inDirectory { directory in
            let path = "\(directory)/userns-1.img"
            for seed in UInt64(0)..<5_000 {
                var random = SplitMix64(seed: seed)
                let image =
                    random.chance(500)
                    ? mutated(Self.sample, &random)
                    : self.image(sound(around: mutated(Self.extent, &random)))
                try write(image, to: path)
                do {
                    let former = try UserNamespaceImages.rewrite(in: directory, to: other)
                    #expect(former?.count == 65_536 && former?.isPossible == true, "seed \(seed)")
                    #expect(try UserNamespaceImages.rewrite(in: directory, to: other) == other)
                    taken += 1
                } catch let error as GodwitError {
                    #expect(error.code == .restoreFailed, "seed \(seed)")
                    #expect(try SmallFile.bytes(path) == image)
                    refused += 1
                }
            }
        }
        #expect(refused > 3_000 && taken > 10, "\(refused) refused, \(taken) taken")
    }

    private func mutated(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) {
            let place = random.below(bytes.count)
            switch random.below(4) {
            case 0: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1: bytes[place] = UInt8(random.below(256))
            case 2: bytes.remove(at: place)
            default: bytes.insert(UInt8(random.below(256)), at: place)
            }
        }
        return bytes
    }

    /// A message of users and groups alike.
    private func sound(around extent: [UInt8]) -> [UInt8] {
        let length = UInt8(extent.count)
        let users: [UInt8] = [0x0A, length] + extent
        return users + [0x12, length] + extent
    }

    private func image(_ message: [UInt8]) -> [UInt8] {
        Array(Self.sample.prefix(8)) + [UInt8(message.count), 0, 0, 0] + message
    }

    private func refuses(
        _ directory: String, _ map: IDMap?, at place: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: GodwitError(.restoreFailed, ""), sourceLocation: place) {
            try UserNamespaceImages.rewrite(in: directory, to: map)
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}

import MigrationCore
import Synchronization

/// Images that are only names.
extension FakeHost {
    func images() async throws -> [ImageView] { state.withLock(\.images) }

    func image(_ name: ImageName) async throws -> ImageView {
        let all = state.withLock(\.images)
        guard
            let view = all.first(where: {
                $0.aliases.contains(name) || name.begins($0.image.digest)
            })
        else { throw GodwitError(.notFound, "there is no image \(name)") }
        return view
    }

    func importImage(_ request: ImageImport) async throws -> ImageView {
        guard request.tag != "wrong" else {
            throw GodwitError(.badRequest, "there is no tag \(request.tag ?? "")")
        }
        let view = try Sample.image(alias: request.alias)
        state.withLock { $0.images.append(view) }
        return view
    }

    func exportImage(_ name: ImageName, to path: String) async throws {
        let digest = try await image(name).image.digest
        state.withLock { $0.exports.append("\(digest.short) to \(path)") }
    }

    func deleteImage(_ name: ImageName) async throws {
        let digest = try await image(name).image.digest
        state.withLock { $0.images.removeAll { $0.image.digest == digest } }
    }
}

/// Tidies up also for a task that is cancelled, whose tools would be killed.
func afterFailure(_ body: @escaping @Sendable () async throws -> Void) async {
    // A task of its own, which is waited for: the one that is cancelled can run no tool.
    await Task { try? await body() }.value
}

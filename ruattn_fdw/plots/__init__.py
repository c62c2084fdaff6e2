"""Pictures of attention: each module reads what it draws by SQL, and draws it."""

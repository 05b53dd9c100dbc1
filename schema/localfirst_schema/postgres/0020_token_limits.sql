-- The times of tokens have the limits of all others: of an infinite one PostgreSQL does not say how much is left, and whoever showed
-- such a token was refused. One that never expires has no such time. What is misfit already keeps its meaning.

UPDATE localfirst.tokens SET
    created_at = CASE WHEN localfirst.is_time(created_at) THEN created_at ELSE now() END,
    expires_at = CASE
        WHEN localfirst.is_time(expires_at) THEN expires_at
        WHEN expires_at <= now() THEN '0001-01-01 00:00:00+00'::timestamptz
    END,
    revoked_at = CASE WHEN NOT localfirst.is_time(revoked_at) THEN now() ELSE revoked_at END,
    last_used_at = CASE WHEN localfirst.is_time(last_used_at) THEN last_used_at END
WHERE NOT (
    localfirst.is_time(created_at) AND coalesce(localfirst.is_time(expires_at), true)
    AND coalesce(localfirst.is_time(revoked_at), true) AND coalesce(localfirst.is_time(last_used_at), true)
);

ALTER TABLE localfirst.tokens
    ADD CONSTRAINT tokens_created_at_limit CHECK (localfirst.is_time(created_at)),
    ADD CONSTRAINT tokens_expires_at_limit CHECK (localfirst.is_time(expires_at)),
    ADD CONSTRAINT tokens_revoked_at_limit CHECK (localfirst.is_time(revoked_at)),
    ADD CONSTRAINT tokens_last_used_at_limit CHECK (localfirst.is_time(last_used_at));

INSERT INTO revocations AS known (tenant, kind, subject, expires_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, kind, subject) DO UPDATE SET
    revoked_at = GREATEST(known.revoked_at, excluded.revoked_at),
    -- GREATEST skips NULLs, and NULL is for good here.
    expires_at = CASE
        WHEN known.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
        ELSE GREATEST(known.expires_at, excluded.expires_at)
    END

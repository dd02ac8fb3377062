"""Manifests → Bundle: replace every reference by its value, and check where values stand.

1. A `Secret`'s references are read; its `stringData` is folded into `data`; null is refused.
2. Outside a `Secret`'s values a reference is refused.
3. A value that was read may stand nowhere but in a `Secret`'s values (design decision 2).
4. Of each `Secret` it is noted which entries its values come from, by their names.
"""

from __future__ import annotations

from flux_secret.model.manifest import Bundle, BundleItem, Manifest, Manifests
from flux_secret.resolve.holding import held
from flux_secret.resolve.interface import SecretReader
from flux_secret.resolve.leak import LeakDetector, refuse_references
from flux_secret.resolve.secret import SecretFolder, is_secret


class Resolver:
    """Fills in values."""

    async def resolve(self, manifests: Manifests, reader: SecretReader) -> Bundle:
        """Give the bundle; what is read for it is recorded first, together.

        Raises `RecordError` when that cannot be, `AccessError` when a value cannot be read, is null
        or stands outside a `Secret`, and `SecretRefError` or `ManifestError` when a manifest cannot
        mean what it says.
        """
        folder, scripts = SecretFolder(reader), tuple(reader.handed_out)
        await folder.foresee(manifests.items)
        items = [await self._item(manifest, folder) for manifest in manifests.items]
        detector = LeakDetector(reader.handed_out)
        for item in items:
            detector.check(item.manifest)
        return Bundle(held(items, scripts))

    @staticmethod
    async def _item(manifest: Manifest, folder: SecretFolder) -> BundleItem:
        item = await folder.fold(manifest) if is_secret(manifest) else BundleItem(manifest)
        refuse_references(item.manifest)
        return item

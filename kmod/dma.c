// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of messages that does not fit into a slot, or that must be reached without
 * the process that it belongs to.
 *
 * PCIEHSM_IOC_MSG copies: kernel pages are all that the card can reach, and who is
 * killed while it waits leaves nothing of his in the card's hands. io_uring does not:
 * the card reads and writes the caller's own pages, pinned until the command is over,
 * whatever becomes of the process. The caller may change a request while it is read.
 * That gains him nothing: the card compares the opcode that it has copied with the
 * one that the driver has read once and allowed (hw.h, msg_op), and it checks the
 * message as it has copied it, length included.
 */

#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "hsm.h"

/**
 * hsm_dma_alloc() - memory for one direction
 * @ctrl:	the card
 * @d:		filled in; hsm_dma_free() takes it back
 * @len:	bytes, not 0
 * @dir:	DMA_TO_DEVICE, or DMA_FROM_DEVICE: zeroed then, because a card might
 *		say that it has written more than it has
 *
 * Does not touch the device.
 *
 * Return: 0 or -ENOMEM.
 */
int hsm_dma_alloc(struct hsm_ctrl *ctrl, struct hsm_dma *d, size_t len,
		  enum dma_data_direction dir)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | (dir == DMA_FROM_DEVICE ? __GFP_ZERO : 0);
	struct page **pages;
	size_t i, n;
	int ret;

	d->len = PAGE_ALIGN(len);
	d->dir = dir;
	d->mapped = false;
	d->buf = kvmalloc(d->len, gfp);
	if (!d->buf)
		return -ENOMEM;
	n = d->len >> PAGE_SHIFT;
	pages = kmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		goto err_free;
	for (i = 0; i < n; i++) {
		void *p = d->buf + (i << PAGE_SHIFT);

		pages[i] = is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p);
	}
	ret = sg_alloc_table_from_pages_segment(&d->sgt, pages, n, 0, d->len,
						ctrl->max_seg, GFP_KERNEL);
	kfree(pages);
	if (!ret)
		return 0;

err_free:
	kvfree(d->buf);
	d->buf = NULL;
	return -ENOMEM;
}

/**
 * hsm_dma_pages() - use a caller's own memory for one direction
 * @ctrl:	the card
 * @d:		all zero; filled in; hsm_dma_free() takes it back
 * @p:		the memory; stays the caller's, and must outlive @d
 *
 * Return: 0, -ENOMEM, or -EINVAL: it shares a cache line with memory that the machine
 * could not keep apart from what the card writes.
 */
int hsm_dma_pages(struct hsm_ctrl *ctrl, struct hsm_dma *d, const struct hsm_pages *p)
{
	if (p->write && ((p->offset | p->len) & (dma_get_cache_alignment() - 1)))
		return -EINVAL;
	d->dir = p->write ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	return sg_alloc_table_from_pages_segment(&d->sgt, p->pages, p->n, p->offset, p->len,
						 ctrl->max_seg, GFP_KERNEL);
}

/**
 * hsm_dma_map() - let the card reach it
 * @ctrl:	the card
 * @d:		allocated
 * @len:	bytes of the message
 * @slot:	has room for HSM_SLOT_SEGS segments in its area
 * @seg:	how many of them are taken; updated
 * @dptr:	out: what the command says about it
 *
 * The caller holds the slot, so the device is there. Does not sleep for long.
 *
 * Return: 0 or -ENOMEM.
 */
int hsm_dma_map(struct hsm_ctrl *ctrl, struct hsm_dma *d, size_t len, struct hsm_slot *slot,
		unsigned int *seg, struct pciehsm_dptr *dptr)
{
	struct pciehsm_seg *segs = (struct pciehsm_seg *)slot->area + *seg;
	dma_addr_t segs_dma = slot->area_dma + *seg * sizeof(*segs);
	struct scatterlist *sg;
	size_t left = len;
	unsigned int i, n = 0;

	if (is_vmalloc_addr(d->buf))
		flush_kernel_vmap_range(d->buf, d->len);
	if (dma_map_sgtable(&ctrl->pdev->dev, &d->sgt, d->dir, 0))
		return -ENOMEM;
	d->mapped = true;

	for_each_sgtable_dma_sg(&d->sgt, sg, i) {
		size_t part = min_t(size_t, left, sg_dma_len(sg));

		if (!part)
			break;
		if (*seg + n == HSM_SLOT_SEGS) {
			hsm_dma_unmap(ctrl, d);
			return -ENOMEM;
		}
		segs[n].addr = cpu_to_le64(sg_dma_address(sg));
		segs[n].len = cpu_to_le32(part);
		segs[n].reserved = 0;
		left -= part;
		n++;
	}
	dptr->len = cpu_to_le32(len);
	dptr->addr = n == 1 ? segs[0].addr : cpu_to_le64(segs_dma);
	dptr->nseg = cpu_to_le32(n == 1 ? 0 : n);
	*seg += n;
	return 0;
}

/**
 * hsm_dma_unmap() - the card does not need it any more
 * @ctrl:	the card
 * @d:		any
 *
 * Only when the command is over: until then the memory is the card's.
 */
void hsm_dma_unmap(struct hsm_ctrl *ctrl, struct hsm_dma *d)
{
	if (!d->mapped)
		return;
	dma_unmap_sgtable(&ctrl->pdev->dev, &d->sgt, d->dir, 0);
	if (is_vmalloc_addr(d->buf))
		invalidate_kernel_vmap_range(d->buf, d->len);
	d->mapped = false;
}

/**
 * hsm_dma_free() - wipe and free it
 * @d:	allocated and not mapped, or all zero
 */
void hsm_dma_free(struct hsm_dma *d)
{
	if (d->buf)
		memzero_explicit(d->buf, d->len);
	/* Does nothing to one that is all zero. */
	sg_free_table(&d->sgt);
	kvfree(d->buf);
	memset(d, 0, sizeof(*d));
}

static int hsm_pages_room(struct hsm_pages *p, unsigned int n)
{
	p->pages = p->few;
	if (n > ARRAY_SIZE(p->few))
		p->pages = kmalloc_array(n, sizeof(*p->pages), GFP_KERNEL_ACCOUNT);
	return p->pages ? 0 : -ENOMEM;
}

/**
 * hsm_pages_pin() - hold memory of the calling process
 * @p:		empty; filled in; hsm_pages_put() takes it back
 * @addr:	user address
 * @len:	bytes, not 0
 * @write:	it will be written to
 *
 * May sleep in page faults for as long as the process wants it to: not with a slot.
 *
 * Return: 0, -EFAULT or -ENOMEM.
 */
int hsm_pages_pin(struct hsm_pages *p, u64 addr, size_t len, bool write)
{
	unsigned int n = DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE);
	int got;

	if (addr != (unsigned long)addr)
		return -EFAULT;
	if (hsm_pages_room(p, n))
		return -ENOMEM;
	p->offset = offset_in_page(addr);
	p->len = len;
	p->write = write;
	p->pinned = true;
	got = pin_user_pages_fast(addr & PAGE_MASK, n, write ? FOLL_WRITE : 0, p->pages);
	if (got == n) {
		p->n = n;
		return 0;
	}
	if (got > 0)
		unpin_user_pages(p->pages, got);
	hsm_pages_put(p);
	return got == -ENOMEM ? -ENOMEM : -EFAULT;
}

/**
 * hsm_pages_import() - use registered memory
 * @p:		empty; filled in; hsm_pages_put() takes it back
 * @iter:	as io_uring gives it; the command keeps the pages
 * @write:	it will be written to
 *
 * Return: 0, -ENOMEM, or -EINVAL: not memory of a process, but something in pieces.
 */
int hsm_pages_import(struct hsm_pages *p, const struct iov_iter *iter, bool write)
{
	size_t left = iov_iter_count(iter), skip = iter->iov_offset, part;
	const struct bio_vec *bv = iter->bvec;
	unsigned int i;

	if (!iov_iter_is_bvec(iter))
		return -EINVAL;
	for (; skip >= bv->bv_len; bv++)
		skip -= bv->bv_len;
	p->offset = (bv->bv_offset + skip) & ~PAGE_MASK;
	p->len = left;
	p->write = write;
	p->pinned = false;
	if (hsm_pages_room(p, DIV_ROUND_UP(p->offset + left, PAGE_SIZE)))
		return -ENOMEM;
	for (i = 0; left; i++) {
		size_t at = bv->bv_offset + skip, offset = at & ~PAGE_MASK;

		part = min3(left, PAGE_SIZE - offset, bv->bv_len - skip);
		/* Only the first page may begin late, only the last end early. */
		if (!part || (i && offset) || (left > part && offset + part != PAGE_SIZE)) {
			hsm_pages_put(p);
			return -EINVAL;
		}
		p->pages[i] = bv->bv_page + (at >> PAGE_SHIFT);
		left -= part;
		skip += part;
		if (skip == bv->bv_len) {
			bv++;
			skip = 0;
		}
	}
	p->n = i;
	return 0;
}

/**
 * hsm_pages_read() - copy from the beginning of the memory
 * @p:		pinned or imported
 * @to:		kernel memory
 * @len:	bytes, at most p->len
 */
void hsm_pages_read(const struct hsm_pages *p, void *to, size_t len)
{
	size_t offset = p->offset, part;
	unsigned int i;

	for (i = 0; len; i++, offset = 0) {
		part = min_t(size_t, len, PAGE_SIZE - offset);
		memcpy_from_page(to, p->pages[i], offset, part);
		to += part;
		len -= part;
	}
}

/**
 * hsm_pages_write() - copy to the beginning of the memory
 * @p:		pinned or imported for writing
 * @from:	kernel memory
 * @len:	bytes, at most p->len
 *
 * Works in interrupt context.
 */
void hsm_pages_write(const struct hsm_pages *p, const void *from, size_t len)
{
	size_t offset = p->offset, part;
	unsigned int i;

	for (i = 0; len; i++, offset = 0) {
		part = min_t(size_t, len, PAGE_SIZE - offset);
		memcpy_to_page(p->pages[i], offset, from, part);
		from += part;
		len -= part;
	}
}

/**
 * hsm_pages_put() - let the memory go
 * @p:	pinned, imported, or empty
 *
 * May sleep, but not for any process.
 */
void hsm_pages_put(struct hsm_pages *p)
{
	if (!p->pages)
		return;
	if (p->pinned && p->n)
		unpin_user_pages_dirty_lock(p->pages, p->n, p->write);
	if (p->pages != p->few)
		kfree(p->pages);
	hsm_pages_init(p);
}

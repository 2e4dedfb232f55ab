// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of large messages: kernel pages that the message is copied to and from, so
 * that nobody can change it after it was checked, and so that no memory of a
 * process is ever in the reach of the card.
 */

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
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
 * hsm_dma_map() - let the card reach it
 * @ctrl:	the card
 * @d:		allocated
 * @len:	bytes of the message, at most d->len
 * @segs:	room for HSM_SLOT_SEGS segments
 * @segs_dma:	its bus address
 * @dptr:	out: what the command says about it
 *
 * The caller holds a slot, so the device is there. Does not sleep for long.
 *
 * Return: 0 or -ENOMEM.
 */
int hsm_dma_map(struct hsm_ctrl *ctrl, struct hsm_dma *d, size_t len,
		struct pciehsm_seg *segs, dma_addr_t segs_dma, struct pciehsm_dptr *dptr)
{
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
		if (n == HSM_SLOT_SEGS) {
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
	if (!d->buf)
		return;
	memzero_explicit(d->buf, d->len);
	sg_free_table(&d->sgt);
	kvfree(d->buf);
	d->buf = NULL;
}
